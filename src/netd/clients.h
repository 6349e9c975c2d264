/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which NICs of one uplink ask a server outside for their addresses: a text that commands write (node/outside.c) and replace in one rename,
 * a line each:
 *
 *	zone UUID MAC VLAN NAME|- CLIENT-ID|- ADDRESS|- UNTIL|- ask|watch ZONEID
 *
 * watch: it has a client of its own, and what that gets is told alone.
 * ZONEID is that boot of it. ADDRESS is what the NIC has, or had if UNTIL (ms of CLOCK_BOOTTIME) is over. Pure.
 */
#ifndef CLOISTER_NETD_CLIENTS_H
#define CLOISTER_NETD_CLIENTS_H

#include "netd/hold.h"

#define CLIENTS_MAX 65536

struct client_nic {
	char uuid[37];
	uint32_t zoneid;
	struct hold h;    /* what is the caller's of it */
	uint8_t ip[4];    /* 0.0.0.0: it never had one */
	uint64_t until;
};

/* Of n bytes with a NUL behind them, which it writes into. By link address; the caller's to free. 0, or the number of the line that is wrong. */
int clients_parse(char *text, size_t n, struct client_nic **out, size_t *count);
struct client_nic *clients_mac(struct client_nic *list, size_t n, const uint8_t mac[6]);

#endif
