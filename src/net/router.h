/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The node's router: a network namespace with an interface on each switch that has a gateway (`cloister net set`). Pinned
 * below <run>/net as the switch's is. What answers packets there (DHCP, router advertisements, DNS) runs in it: open it with
 * router_open(), and router_ifname() says which interface is whose. docs/network.md has the drawing.
 */
#ifndef CLOISTER_NET_ROUTER_H
#define CLOISTER_NET_ROUTER_H

#include "model/netset.h"
#include "net/switch.h"

#define ROUTER_VNIC 1 /* the number of its ports, where zones have theirs: no zone has the id 0 */

struct router_port {
	uint32_t sw;  /* nic tag's id << 12 | VLAN */
	uint32_t mtu;
	uint8_t mac[6];
	const struct netset *set;
};

/* A descriptor of the namespace. make: it is made if there is none; else -ENOENT. Who makes has the switch's lock. */
int router_open(const struct ctx *c, bool make, struct err *e);
/* The interface on switch sw: the same name there and at the switch. */
void router_ifname(uint32_t sw, char out[16]);
/* The interface, with the gateways' addresses, up. One that is there and as it should be stays; else it is made anew. */
int router_port(struct net_switch *s, int ns, const struct router_port *p, struct err *e);
/* 1 = there is an interface on sw, 0 = there is none. */
int router_has_port(struct net_switch *s, uint32_t sw, struct err *e);
/* Takes away the interfaces on switches that are not among these. */
int router_sweep(struct net_switch *s, const struct router_port *p, size_t n, struct err *e);
/* Takes it away with all its interfaces. 0, also if there is none. */
int router_remove(struct net_switch *s, struct err *e);

#endif
