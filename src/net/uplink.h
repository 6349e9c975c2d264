/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Uplinks: a device of the host's as the wire of a nic tag. It is in the switch namespace, without addresses and promiscuous, and its name and what the
 * host had on it are kept, so that they can be given back. Each call may find it half done and does the rest.
 */
#ifndef CLOISTER_NET_UPLINK_H
#define CLOISTER_NET_UPLINK_H

#include <stdbool.h>

#include "base/buf.h"
#include "kern/netdev.h"
#include "net/switch.h"

/* Numbers of ports that are no zone's (vnic.number), as ROUTER_VNIC is. */
#define UPLINK_VNIC 2
#define HOST_VNIC   3
#define FABRIC_VNIC 4

struct uplink {
	uint32_t id;      /* of the nic tag */
	uint32_t mtu;
	char device[16];  /* its name on the host */
	uint8_t mac[6];
	bool host;        /* the host has a VNIC of its own there, by the device's name */
	struct buf saved; /* the host's addresses and routes on it (netdev_save) */
};
#define UPLINK_INIT ((struct uplink){.saved = BUF_INIT})
void uplink_done(struct uplink *u);

/*
 * The device of that name or MAC, by a socket on the host, if it may be an uplink. -ENODEV, -EBUSY: it has another use, -ENOTSUP: not of a kind that
 * can be one.
 */
int uplink_find(int rtnl, const char *what, struct netdev *out, struct err *e);
/*
 * The device becomes the tag's wire. rtnl, ns: of the host. What the host has on it is in u->saved afterwards, unless it had nothing: then that stays
 * as it was given. -ENODEV: it is nowhere. What is done of it after a failure uplink_down() takes back.
 */
int uplink_up(struct net_switch *s, int rtnl, int ns, struct uplink *u, struct err *e);
/* Back to the host, with what its VNIC there has now, or else u->saved. *lost: how many of these could not be given. 0, also if it is nowhere. */
int uplink_down(struct net_switch *s, int rtnl, int ns, struct uplink *u, unsigned *lost, struct err *e);

#endif
