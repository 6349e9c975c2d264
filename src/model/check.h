/* SPDX-License-Identifier: MPL-2.0 */
/* What a good value looks like: the checks that rows of the property table name. Pure; arg is a json_t. 0 or -EINVAL. */
#ifndef CLOISTER_MODEL_CHECK_H
#define CLOISTER_MODEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int check_alias(const void *v);
int check_hostname(const void *v);
int check_domain(const void *v);
int check_zonename(const void *v);
int check_brand(const void *v);
int check_uuid(const void *v);
int check_path(const void *v);
int check_fs_source(const void *v); /* a path, or SmartOS's "swap" */       /* absolute, normalised */
int check_file(const void *v);       /* the same, or "" */
int check_target(const void *v);     /* a mount point in a zone: a path that shadows nothing of ours */
int check_device(const void *v);     /* below /dev, not one that we make ourselves */
int check_octal(const void *v);      /* "0666" */
int check_fstype(const void *v);     /* lofs tmpfs ext4 xfs btrfs */
int check_fsopt(const void *v);
int check_word(const void *v);       /* [a-z0-9_-]+ */
int check_priv(const void *v);       /* [!-]?[A-Za-z0-9_]+ */
int check_namespace(const void *v);
int check_zpool(const void *v);
int check_pow2(const void *v);       /* 512..131072, a power of two */
int check_compression(const void *v);
int check_sharing(const void *v);    /* shared, private */
int check_cpu_view(const void *v);   /* host, capped */
int check_cpus(const void *v);       /* "4" or "0-3,8" */
int check_accelerator(const void *v);
int check_priority(const void *v);   /* low, medium, high */
int check_text(const void *v);       /* no control characters */
int check_time(const void *v);       /* ISO 8601 as vmadm prints it */
int check_mac(const void *v);
int check_nic_tag(const void *v);
int check_ip4(const void *v);
int check_netmask(const void *v);
int check_ip(const void *v);         /* IPv4 or IPv6 */
int check_ip_or_dhcp(const void *v); /* the ip property: an IPv4 address or "dhcp" */
int check_ips(const void *v);        /* CIDR, dhcp, addrconf */
int check_allowed_ip(const void *v); /* address or CIDR */
int check_cid(const void *v);        /* DHCP client id: hex, even length */
int check_interface(const void *v);
int check_nic_model(const void *v);
int check_disk_model(const void *v);
int check_media(const void *v);
int check_boot(const void *v);
int check_bootrom(const void *v);
int check_kernel_args(const void *v);
int check_sha256(const void *v);
int check_rtc(const void *v);        /* utc, localtime, or a time zone by its name */
int check_pci_slot(const void *v);
int check_vnc_password(const void *v);
int check_port(const void *v);       /* "443" as blocked_outgoing_ports has it */
int check_routes(const void *v);     /* the whole object */
int check_meta_keys(const void *v);  /* keys of tags and metadata: printable, 1 to 255 bytes */

/* "a.b.c.d" and netmask ↔ prefix length; -1 for a mask with holes. */
int mask_to_prefix(const char *mask);
bool path_clean(const char *s); /* absolute, no empty, "." or ".." component, no control characters, < 1024 bytes */

#endif
