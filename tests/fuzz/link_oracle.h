/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a frame says of its sender, read as its receivers would: slowly, in full, without the switch's program or its headers. A frame that
 * lies never passes; one that is plainly honest always does. Of the rest (malformed, or unheard of) either may come.
 */
#ifndef CLOISTER_FUZZ_LINK_ORACLE_H
#define CLOISTER_FUZZ_LINK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net {
	uint8_t ip[16];
	unsigned bits;
};

/* What a NIC may do, as its properties say. */
struct nic {
	uint8_t mac[6], vrrp;
	bool mac_nospoof, ip_nospoof, dhcp_nospoof, restricted;
	bool dhcp, addrconf;
	struct net v4[8], v6[8];
	size_t n4, n6;
	uint32_t blocked[4]; /* protocol << 16 | port */
	size_t nblocked;
};

/* Who is on this host: for what comes from outside. */
struct here {
	uint8_t mac[6];
	uint8_t v4[4], v6[16];
};

/* lie: why it may not pass. doubt: why it might not. Both NULL: it has to pass. */
struct verdict {
	const char *lie, *doubt;
};

struct verdict oracle_sent(const struct nic *nic, const uint8_t *frame, size_t n);
struct verdict oracle_came(const struct here *h, const uint8_t *frame, size_t n);

#endif
