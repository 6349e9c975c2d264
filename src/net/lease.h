/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the guest behind a tap is told when it asks for an address by DHCP: the switch's program answers at its port (bpf/lease.h), from a frame that is
 * written here.
 */
#ifndef CLOISTER_NET_LEASE_H
#define CLOISTER_NET_LEASE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/switch.h"
#include "net/switch.h"

#define LEASE_DNS 4
#define LEASE_S   86400

struct net_lease {
	uint8_t ip[4];
	unsigned prefix;
	uint8_t router[4]; /* 0.0.0.0: none */
	uint8_t dns[LEASE_DNS][4];
	size_t ndns;
	uint32_t mtu;
	const char *host; /* NULL: none. Left out where there is no room for it */
};

/* The port's from now on; NULL: its questions go their way as any other's. */
int net_lease(struct net_switch *s, uint32_t ifindex, const struct net_lease *l, struct err *e);
/* Pure: the map's value. */
void net_lease_frame(const struct net_lease *l, struct sw_lease *out);

#endif
