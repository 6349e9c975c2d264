/* SPDX-License-Identifier: MPL-2.0 */
/* Fabrics: a switch that has ports on several hosts. What leaves this one goes by VXLAN (RFC 7348) to ends that are told, never learned. */
#ifndef CLOISTER_NET_FABRIC_H
#define CLOISTER_NET_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/switch.h"
#include "net/vnic.h"

#define FABRIC_PORT 4789 /* UDP */
#define FABRIC_ENDS 1024
#define FABRIC_HOSTS 65536

struct fabric_host { /* somebody behind another end */
	uint8_t mac[6];
	struct net_ip ip;
	uint32_t end; /* its place in ends */
};

struct fabric {
	uint32_t id;  /* of the nic tag */
	uint32_t vni; /* 1…2^24-1 */
	uint32_t mtu;
	struct net_ip local, *ends; /* one family; prefix unused */
	size_t nends;
	struct fabric_host *hosts;  /* all that there are, if any is told */
	size_t nhosts;
};
void fabric_done(struct fabric *f);
/* -EEXIST: it is there already, -EINVAL: of another family than local, or local itself. Returns its place. */
int fabric_end(struct fabric *f, const struct net_ip *ip, struct err *e);
/* An address without a length. */
int fabric_ip(const char *text, struct net_ip *out);
/* Lines "mac ip end", with empty ones and such that begin with #; adds the ends that are new. The error says which line. */
int fabric_parse(const char *text, size_t n, struct fabric *f, struct err *e);

/* host: a socket there, where the tunnel's UDP socket comes to be. What is there of it is replaced. -EOPNOTSUPP: no vxlan. */
int fabric_up(struct net_switch *s, int host, const struct fabric *f, struct err *e);
/* 0, also if it was not there. last: no other one is left, the tunnel goes too. */
int fabric_down(struct net_switch *s, const struct fabric *f, bool last, struct err *e);

#endif
