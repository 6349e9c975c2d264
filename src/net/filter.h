/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which frames to show, in a part of what tcpdump(8) reads: ip, ip6, arp, tcp, udp, icmp, icmp6; [src|dst] host ADDRESS, net PREFIX,
 * port NUMBER; ether [src|dst] MAC; not, and, or, parentheses. Pure; frames and expressions may be anything.
 */
#ifndef CLOISTER_NET_FILTER_H
#define CLOISTER_NET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FILTER_MAX 64 /* nodes of an expression */

enum filter_kind { FILTER_PROTO, FILTER_ETHER, FILTER_IP, FILTER_PORT, FILTER_NOT, FILTER_AND, FILTER_OR };
enum { FILTER_SRC = 1, FILTER_DST = 2 };

struct filter {
	struct filter_node {
		enum filter_kind kind;
		int left, right;         /* of not, and, or */
		unsigned dir;            /* FILTER_SRC | FILTER_DST */
		unsigned ether, proto;   /* 0 = any */
		unsigned bits;           /* of ip */
		uint8_t family;          /* 4, 6 */
		uint8_t addr[16];
		uint16_t port;
	} node[FILTER_MAX];
	int n, root; /* root -1: everything */
};

/* "" is everything. -EINVAL says where it went wrong. */
int filter_parse(const char *text, struct filter *f, struct err *e);
/* frame: from its Ethernet head on, as much as there is of it. */
bool filter_match(const struct filter *f, const uint8_t *frame, size_t n);

#endif
