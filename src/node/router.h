/* SPDX-License-Identifier: MPL-2.0 */
/* Settings of switches (objects of kind "switch"): looked at against the host and each other, and made so. */
#ifndef CLOISTER_NODE_ROUTER_H
#define CLOISTER_NODE_ROUTER_H

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
/* -EEXIST: its subnets are another switch's or lie on a route of this host's. */
int netset_free(struct state *st, const struct switch_name *n, const struct netset *s, struct err *e);
/*
 * Makes the router as the settings of all switches say, or takes it away when none needs one. What is so already stays as it
 * is. s NULL: the switch is opened, and made if it is needed.
 */
int router_sync(struct ctx *c, struct state *st, struct net_switch *s, struct err *e);
/* For a NIC that comes to switch sw, name `name`: the router is there if that switch has one. */
int router_need(struct ctx *c, struct state *st, struct net_switch *s, uint32_t sw, const char *name, struct err *e);

#endif
