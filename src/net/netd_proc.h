/* SPDX-License-Identifier: MPL-2.0 */
/* The process of a responder, or of the DHCP clients of an uplink: found by what it notes in its folder (dir), started and ended. For netd.c. */
#ifndef CLOISTER_NET_NETD_PROC_H
#define CLOISTER_NET_NETD_PROC_H

#include "net/netd.h"

/* Its interface: the router's on that switch, or the uplink of the nic tag. */
void netd_ifname(enum netd_kind kind, uint32_t sw, char out[16]);
/* It runs, at the interface that there is now, and has read the table, which may have changed. */
int netd_proc_ensure(const struct netd *d, uint32_t sw, const char *dir, bool changed, struct err *e);
/* 0, also if none runs. */
int netd_proc_stop(const char *dir, struct err *e);
/* No two of one switch: fd is its folder's lock, the process's own for as long as it lives. -EBUSY: still not free. */
int netd_proc_lock(int fd, const char *path, struct err *e);

#endif
