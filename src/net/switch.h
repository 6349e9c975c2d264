/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The node's switch: a network namespace that has every host end, and the program and maps that forward between them. Both
 * are pinned below <run>/net, and live without any process of ours. docs/network.md has a packet's way.
 */
#ifndef CLOISTER_NET_SWITCH_H
#define CLOISTER_NET_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"

enum sw_map {
	SWM_PORTS, SWM_FDB, SWM_NEIGHBOURS, SWM_ADDRS, SWM_VRRP, SWM_FLOOD, SWM_BLOCKED, SWM_CIDS, SWM_COUNTERS, SWM_STORM, SWM_LEASES, SWM_WIRES, SWM_ENDS, SWM_REMOTES, SWM_PEERS,
	SWM_FW_LISTS, SWM_FW_ZONES, SWM_FW_SPARE, SWM_FW_SETS, SWM_FLOWS, SWM_FLOW_USE, SWM_FLOW_SLOTS, SWM_FLOW_SHARED, /* the firewall */
	SWM_LOG_RINGS, SWM_LOG_USE, /* drops as events */
	SWM_SHAPES, SWM_SHAPE_FLOWS, SWM_SHAPE_SLOTS, /* bandwidth */
	SWM_TRAFFIC, SWM_TRAFFIC_PORTS,
	SW_MAPS
};

enum net_attach { ATTACH_CLSACT, ATTACH_TCX }; /* net/attach.h */

struct net_switch {
	char *dir;       /* <run>/net */
	int ns;          /* the namespace */
	int rtnl;        /* a socket in it */
	int prog;
	int lock;        /* held while ports come and go */
	enum net_attach attach;
	int map[SW_MAPS];
};
#define NET_SWITCH_INIT ((struct net_switch){.ns = -1, .rtnl = -1, .prog = -1, .lock = -1, .map = {[0 ... SW_MAPS - 1] = -1}})

/*
 * Opens it, with its lock held until switch_close(); waits for that up to c->deadline. make: it is made if there is none, in some 20 ms; else -ENOENT.
 * One that was left half made is made anew.
 */
int switch_open(const struct ctx *c, bool make, struct net_switch *s, struct err *e);
/* Without the lock, for who only reads: ports come and go meanwhile. -ENOENT. */
int switch_look(const struct ctx *c, struct net_switch *s, struct err *e);
/* For who does without it meanwhile what concerns nobody: the switch may be another's by now, or gone. */
void switch_unlock(struct net_switch *s);
int switch_lock(const struct ctx *c, struct net_switch *s, struct err *e);
void switch_close(struct net_switch *s);
/*
 * Its program becomes the installed one, at each port in one step; what the maps hold stays, so that no flow ends. force: also if it
 * is the same already. 1 = replaced, 0 = there was nothing to do, -EBUSY: a map has another layout, and nothing was changed.
 */
int switch_upgrade(const struct ctx *c, bool force, struct err *e);
/* Takes it away. -EBUSY: it has ports. 0, also if there is none. */
int switch_remove(const struct ctx *c, struct err *e);

#endif
