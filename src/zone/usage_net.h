/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone's NICs have carried in this life of it, out of the switch's counters. <run>/net/<uuid> says which ports are its own:
 *
 *	z7n0 12             a port and its interface index; 0 = it is being made
 *	z7n1 15 -           one that goes: what it has carried is in the sum already
 *	#gone 4096 812      the sum of those that have gone: received, sent
 *
 * The file is replaced in one rename, so each byte is in a port's counter or in the sum, and never in both. Libc only.
 */
#ifndef CLOISTER_ZONE_USAGE_NET_H
#define CLOISTER_ZONE_USAGE_NET_H

#include "zone/usage.h"

struct nic_line {
	char port[16]; /* empty: the line of the sum */
	unsigned ifindex;
	bool counted;
	uint64_t received, sent; /* of the sum */
};
/* The next line of the text at *t; false at the end, or where it is none of these. */
bool nic_line(const char **t, struct nic_line *out);

/* received and sent of one port; net: "<run>/net". -ENOENT: no such port, or no switch. */
int usage_net_port(const char *net, unsigned ifindex, uint64_t *received, uint64_t *sent);
/* UC_RECEIVED and UC_SENT of a zone; left as they are if it has no NIC or they can't be read. */
void usage_net_read(const char *net, const char *uuid, struct usage_sample *s);

#endif
