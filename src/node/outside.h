/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses from a DHCP server outside, for NICs with "dhcp" on an uplink. cloister-dhcp asks; what it got comes back by `cloister zone-lease`,
 * which stores it, lets the switch know, and sets it in the zone. docs/network.md.
 */
#ifndef CLOISTER_NODE_OUTSIDE_H
#define CLOISTER_NODE_OUTSIDE_H

#include "net/switch.h"
#include "node/nics_in.h"
#include "node/vm.h"

/* ---- outside.c ---- */
/* 1: a NIC that asks for a lease, on an uplink whose switch has no server of ours. */
int outside_asks(struct state *st, const json_t *nic, struct err *e);
/* What it has of it goes to n's addresses, gateways and routes. */
int outside_lease(struct state *st, const json_t *nic, struct nic *n, struct err *e);
/* 1: it has one whose time is over. lose: not any more, 0. */
int outside_late(struct state *st, const char *uuid, const json_t *nic, bool lose, struct err *e);
/* Who asks is told of this VM's NICs, and runs; with the switch's lock. */
int outside_tell(const struct ctx *c, struct state *st, struct net_switch *s, const char *uuid, uint64_t zoneid, const json_t *rec, struct err *e);
/* Name servers and domain of the primary NIC's lease, as lines of resolv.conf; NULL: it has none. The caller's to free. */
char *outside_resolvers(struct state *st, const json_t *nic, char **domain);

/* ---- outside_lease.c ---- */
struct outside_got {
	struct net_ip ip;
	uint64_t until;      /* ms of CLOCK_BOOTTIME */
	json_t *said;        /* router, server, dns, domain, routes: as it is stored. Owned */
};
/* A NIC has this now; NULL: nothing any more, and why. -EADDRINUSE: it can't have that. Nothing, if that boot of the VM or the NIC has gone meanwhile. */
int outside_news(struct ctx *c, const char *uuid, const char *mac, uint64_t zoneid, const struct outside_got *got, const char *why, struct err *e);
/* Who asks for a running VM's NICs is started again, if it has died. */
int outside_again(struct ctx *c, const char *uuid, struct err *e);
/* The VM was stopped: its leases are given back. What can't be is logged. */
void outside_leave(struct vm *v);

#endif
