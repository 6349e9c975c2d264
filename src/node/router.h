/* SPDX-License-Identifier: MPL-2.0 */
/* Settings of switches (objects of kind "switch"): looked at against the host and each other, and made so. */
#ifndef CLOISTER_NODE_ROUTER_H
#define CLOISTER_NODE_ROUTER_H

#include "base/buf.h"
#include "model/netset.h"
#include "net/switch.h"
#include "state/state.h"

struct switch_name {
	struct state_nictag tag;
	unsigned vlan;
	char name[48]; /* TAG or TAG/VLAN: the object's */
};

/* "stub0", "stub0/7"; a tag of the whole name goes first, for names of tags may have a / in them. -ENOENT. */
int netset_name(struct state *st, const char *text, struct switch_name *out, struct err *e);
/* overlap.c: -EEXIST: its subnets are another switch's or lie on a route of this host's. */
int netset_free(struct state *st, const struct switch_name *n, const struct netset *s, struct err *e);
/*
 * Makes the router as the settings of all switches say, or takes it away when none needs one. What is so already stays as it
 * is. s NULL: the switch is opened, and made if it is needed.
 */
int router_sync(struct ctx *c, struct state *st, struct net_switch *s, struct err *e);
/* Takes the router and what it has at the host away; the settings stay. */
int router_away(struct ctx *c, struct net_switch *s, struct err *e);
/* VMs have changed: forwards to one by name are looked up again. */
void router_changed(struct ctx *c, struct state *st);
/* Fills in the address of a forward to a VM by name. -ENOENT. */
int router_target(struct state *st, uint32_t tag_id, const struct netset *s, struct netset_forward *f, struct err *e);
/* 1 = some switch has nat: its interface at the host, and what of the host is in its way, a line for each. 0 = none has. */
int router_look(struct ctx *c, struct state *st, char host_if[16], struct buf *out, struct err *e);
/* For a NIC that comes to switch sw, name `name`: the router is there if that switch has one. */
int router_need(struct ctx *c, struct state *st, struct net_switch *s, uint32_t sw, const char *name, struct err *e);

#endif
