/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Uplinks of nic tags, as objects of kind "uplink" that outlive the machine. The object is there before the device moves and goes after it is back, so
 * that whoever is killed in between leaves what the next one can finish.
 */
#ifndef CLOISTER_NODE_UPLINK_H
#define CLOISTER_NODE_UPLINK_H

#include <stdbool.h>

#include "state/state.h"

struct uplink_wish {
	const char *tag, *device; /* device: name or MAC */
	uint32_t mtu;             /* 0: the device's */
	bool host;                /* the host keeps its addresses, on a VNIC of its own */
	unsigned confirm;         /* seconds; 0: at once for good */
};
/* Makes the nic tag and its uplink: all of it or nothing. */
int uplink_add(struct ctx *c, const struct uplink_wish *w, struct err *e);
/* For good from now on. -ENOENT: it has no uplink, -ESTALE: it waits for nothing. */
int uplink_confirm(struct ctx *c, const char *tag, struct err *e);
/* What uplink_add() starts: waits until the time is up, and gives it back unless it was confirmed. */
int uplink_watch(struct ctx *c, const char *tag, struct err *e);
/* The device goes back to the host, and the object goes. 0, also if there is none. The nic tag is the caller's. */
int uplink_remove(struct ctx *c, const char *tag, struct err *e);
/* Those of all tags, as after a boot; what can't be done is logged and counted. */
int uplinks_up(struct ctx *c, struct err *e);
/* All devices back to the host; the objects stay. */
int uplinks_down(struct ctx *c, struct err *e);
/* "eth0" and its MAC for a tag that has one: 1; 0 = it has none. */
int uplink_show(struct state *st, const char *tag, char device[16], char mac[18]);

#endif
