/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPv4 (RFC 2131, 2132, 6842) and the stateless part of DHCPv6 (RFC 8415, 18.2.6), as functions of a packet and the table:
 * no state, nothing is kept of who asked. What a lease is the commands have decided.
 */
#ifndef CLOISTER_NETD_DHCP_H
#define CLOISTER_NETD_DHCP_H

#include "netd/table.h"

#define DHCP_MIN  300  /* of BOOTP: some clients take no less */
#define DHCP_MAX  576
#define DHCP_LEASE 86400

enum dhcp_type { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK, DHCP_RELEASE, DHCP_INFORM };

struct dhcp_to {
	uint8_t mac[6];
	uint8_t ip[4]; /* where the answer goes, 255.255.255.255 for who has no address yet */
};

/* The answer to n bytes of a UDP packet for port 67. Its length (at most DHCP_MAX), or 0: there is none. */
size_t dhcp_answer(const struct table *t, const uint8_t *q, size_t n, uint8_t out[DHCP_MAX], struct dhcp_to *to);
/* Ethernet, IPv4 and UDP before n bytes of an answer; returns the frame's length. */
size_t dhcp_frame(const struct table *t, const uint8_t mac[6], const struct dhcp_to *to, const uint8_t *answer, size_t n, uint8_t *out);
#define DHCP_HEADERS 42

/* The same for port 547; mac: ours. Answers INFORMATION-REQUEST alone. */
size_t dhcp6_answer(const struct table *t, const uint8_t mac[6], const uint8_t *q, size_t n, uint8_t out[DHCP_MAX]);

#endif
