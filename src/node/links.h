/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Data links as dladm(8) has them: the VNICs of zones and of the global zone, etherstubs and the host's own interfaces. A VNIC of the
 * global zone is an object of kind "link": {"tag", "mac", "vlan", "mtu", "port", "random", "protection": […], "allowed": […]}.
 */
#ifndef CLOISTER_NODE_LINKS_H
#define CLOISTER_NODE_LINKS_H

#include <jansson.h>

#include "bpf/switch.h"
#include "net/switch.h"
#include "state/state.h"

#define LINK_VNIC 2 /* the number of the global zone's ports; the router's is 1 (net/router.h) */

enum link_class { LINK_CLASS_PHYS, LINK_CLASS_ETHERSTUB, LINK_CLASS_VNIC };

struct link_view {
	char name[32], over[STATE_TAG_NAME];
	enum link_class class;
	uint32_t mtu, vid;
	uint64_t zoneid;
	char uuid[37];  /* the VM's; empty: the global zone's */
	char zone[64];  /* zonename, "global" */
	uint8_t mac[6];
	bool up, random;
	uint32_t ifindex; /* of its port in the switch's namespace; 0: not a VNIC */
	struct sw_count n;
};
/* All of them: physical, etherstubs, VNICs; st may be NULL. A negative return ends the walk and is returned. */
int links_each(struct ctx *c, struct state *st, int (*each)(const struct link_view *, void *), void *arg, struct err *e);

/* A VNIC of the global zone, in the network namespace of the caller. -EEXIST, -ENOENT (the tag). mac NULL: a random one. */
int link_create(struct ctx *c, struct state *st, const char *name, const char *tag, const char *mac, unsigned vlan, unsigned mtu, struct err *e);
int link_delete(struct ctx *c, struct state *st, const char *name, struct err *e); /* -ENOENT */
/* Its object with other "protection" or "allowed": looked at, made so, stored. */
int link_change(struct ctx *c, struct state *st, const char *name, const json_t *value, struct err *e);
/* Those that are not there, at `cloister boot`; one that can't be made is only told of. And away with all, at shutdown. */
void links_back(struct ctx *c, struct state *st);
void links_away(struct ctx *c, struct state *st);

#endif
