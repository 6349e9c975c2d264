/* SPDX-License-Identifier: MPL-2.0 */
/* The port by which a nic tag reaches what lies outside: for uplinks and fabrics. */
#ifndef CLOISTER_NET_WIRE_H
#define CLOISTER_NET_WIRE_H

#include "net/switch.h"

struct sw_wire;
struct wire {
	uint32_t id;         /* of the nic tag */
	uint32_t kind;       /* WIRE_* of bpf/switch.h */
	uint32_t number;     /* UPLINK_VNIC, FABRIC_VNIC */
	uint8_t mac[6];
	char port[16];       /* the interface's name in the switch namespace */
	const char *program; /* that judges what comes from there */
};

/* The program and its entry, for an interface there that is down. Both again change nothing. -EOPNOTSUPP: no tcx. */
int wire_port(struct net_switch *s, const struct wire *w, int index, struct err *e);
/* From now on what nobody here has goes there. wire_set(): with what a fabric has more. */
int wire_join(struct net_switch *s, const struct wire *w, int index, struct err *e);
int wire_set(struct net_switch *s, uint32_t id, const struct sw_wire *w, struct err *e);
/* The tag has no wire any more, and the interface, if index is above 0, is none of ours. */
int wire_leave(struct net_switch *s, uint32_t id, const char *port, int index, struct err *e);

#endif
