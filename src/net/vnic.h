/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A VNIC of a zone: a veth whose host end is a port of the switch. It is closed while it is being made, and what is there of
 * it when anything fails is taken away again.
 */
#ifndef CLOISTER_NET_VNIC_H
#define CLOISTER_NET_VNIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/switch.h"

struct net_ip {
	int family;      /* AF_INET, AF_INET6 */
	uint8_t ip[16];
	unsigned prefix;
};

struct net_route {
	struct net_ip to; /* with its prefix */
	uint8_t via[16];
};

struct vnic_cid {
	uint8_t len, id[255];
};

struct vnic {
	char port[16];   /* the host's end: no two on a node */
	char name[16];   /* in the zone: net0 */
	uint32_t sw;     /* which switch it is on */
	uint32_t flags;  /* PORT_* of bpf/switch.h */
	uint32_t number; /* whose it is, for events: zone id and index */
	uint32_t mtu;
	uint8_t mac[6];
	uint8_t vrrp;
	const struct net_ip *ips;     /* static addresses: set in the zone, may be sent from, answered for */
	size_t nips;
	const struct net_ip *allowed; /* may be sent from beside these */
	size_t nallowed;
	const struct net_ip *gateways; /* default routes; prefix unused */
	size_t ngateways;
	const struct net_route *routes; /* others */
	size_t nroutes;
	const uint16_t *blocked;      /* ports that it may not send to, TCP and UDP */
	size_t nblocked;
	const struct vnic_cid *cids;  /* DHCP client ids; with PORT_DHCP_CIDS it may send no others */
	size_t ncids;
};

/* Both ends, the port and what is known of it; the zone's end, down, is in zone_ns. Returns the host end's index, never used again. */
int vnic_add(struct net_switch *s, const struct vnic *v, int zone_ns, struct err *e);
/*
 * The same of a machine: the port is a tap, *tap its other end, the caller's to close. With the last copy of that the interface goes, unless who
 * has it has made it persistent, which vnic_leave() undoes.
 */
int vnic_add_tap(struct net_switch *s, const struct vnic *v, int *tap, struct err *e);
/* Its addresses and routes, and up. zone_ns: that of the zone, which nothing of the zone runs in yet. */
int vnic_start(const struct vnic *v, int zone_ns, struct err *e);

/* ---- a running zone's: its root may have renamed, moved or removed what is inside ---- */

struct sw_port;
/* What the switch knows of a port: 1, or 0 = but its interface has gone. -ENOENT. */
int vnic_port(struct net_switch *s, uint32_t ifindex, struct sw_port *p);
/* Addresses, protection and blocked ports as v says from now on, switch and MAC as they are. On failure: change it back. */
int vnic_change(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e);
/* Tells the others of its switch whose its addresses are now, those of old (may be NULL) excepted: they may know them by another MAC. */
int vnic_announce(struct net_switch *s, const struct vnic *v, const struct vnic *old, uint32_t ifindex, struct err *e);
/* The zone's end of it, by a socket in the zone's namespace. -ENODEV: that is not there any more. */
int vnic_inside(struct net_switch *s, uint32_t ifindex, int rtnl, struct err *e);
/* Its addresses and routes there. up: the link too. */
int vnic_set(int rtnl, int index, const struct vnic *v, bool up, struct err *e);
/* Takes away those that old has and v has not; of a subnet's others vnic_set() brings back what the kernel takes with them. */
int vnic_unset(int rtnl, int index, const struct vnic *old, const struct vnic *v, struct err *e);

/* ---- */

/* By its name and index, 0: whichever has that name. 0, also if there is none, or its zone has gone and the kernel has taken both ends away. */
int vnic_remove(struct net_switch *s, const char *port, uint32_t ifindex, struct err *e);
/* The same of one whose zone has ended: its interface is left to the end of the zone's namespace, which takes some 20 ms less of ours. */
int vnic_leave(struct net_switch *s, const char *port, uint32_t ifindex, struct err *e);
/* What commands that were killed have left, and ports whose interface has gone with a zone that no command has cleaned up after: known no more. Returns how many. */
int vnic_sweep(struct net_switch *s, struct err *e);
/* Each port that the switch knows. A negative return of each ends the walk and is returned. */
struct sw_count;
int vnic_each(struct net_switch *s, int (*each)(uint32_t ifindex, const struct sw_port *p, const struct sw_count *sum, void *arg),
	      void *arg, struct err *e);

#endif
