/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ceilings on the bandwidth of a VNIC and of flows of it, each for what it sends and for what it receives. docs/network.md has the
 * way of a frame that has one, and what a priority does. The switch is open, that is, locked.
 */
#ifndef CLOISTER_NET_SHAPE_H
#define CLOISTER_NET_SHAPE_H

#include <stdint.h>

#include "bpf/switch.h"
#include "net/switch.h"

enum shape_prio { SHAPE_HIGH, SHAPE_MEDIUM, SHAPE_LOW };

/* SHAPE_MEDIUM for NULL, -EINVAL for a word that is none; and back. */
int shape_prio(const char *name);
const char *shape_prio_name(uint32_t prio);

/*
 * The port's ceiling in kbit/s (0: none), its priority, and these flows in place of those it had: most particular first, at most SHAPE_FLOWS; class_
 * is not looked at. Flows are known by name: one that stays keeps its counters. In force, read back from the kernel, when this
 * returns; after a failure what there was before is in force.
 */
int shape_set_all(struct net_switch *s, uint32_t ifindex, uint64_t kbit, enum shape_prio prio, const struct sw_shape_flow *f, uint32_t n, struct err *e);
/* What there is of the port's; the next with that index has none. 0, also if it had none. */
int shape_forget(struct net_switch *s, uint32_t ifindex, struct err *e);
/* Of ports that the switch knows no more. */
void shape_sweep(struct net_switch *s);
/* What a change that was cut off has left: classes that no map names. switch_open() does it; mostly there is nothing. */
void shape_settle(struct net_switch *s);

struct shape_count { /* as the qdiscs have counted */
	uint64_t obytes, opackets, odrops, rbytes, rpackets, rdrops;
};
/* 1 and what the maps have of the port, 0: nothing. Either may be NULL. */
int shape_get(struct net_switch *s, uint32_t ifindex, struct sw_shape *sh, struct sw_shape_flows *f, struct err *e);
/* Of the class of a VNIC (with its flows) or of a flow. */
int shape_count(struct net_switch *s, const struct sw_shape *sh, uint32_t class_, struct shape_count *out, struct err *e);

/* ---- for shape.c: the classes (shape_class.c) ---- */

#define SHAPE_CLASSES 3 /* of a VNIC or a flow, from its class_ on: itself, small frames, large ones */

/* Those of a VNIC and its flows on both wires, as they are to be; what is there already keeps its parent and its counters. */
int shape_classes_put(struct net_switch *s, const struct sw_shape *sh, const struct sw_shape_flows *f, struct err *e);
/* Those of one VNIC, whose flows' have gone, or of one flow, on sh's wires. 0, also if they were not there. */
int shape_classes_delete(struct net_switch *s, const struct sw_shape *sh, uint32_t class_);

/* ---- and the wires (shape_wire.c) ---- */

/* Both, made unless they are there. */
int shape_wires(struct net_switch *s, uint32_t *out, uint32_t *in, struct err *e);
/* The programs that are pinned now at wires that are there, where they are clsact filters. */
int shape_wires_program(struct net_switch *s, struct err *e);

#endif
