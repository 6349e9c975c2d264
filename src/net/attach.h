/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How the switch's program comes to stand before what arrives at a port. Chosen when the switch is made, by trying:
 *
 *	clsact  a filter in a block that all ports join: no grace period for the one that comes, one write replaces the program of all
 *	tcx     a link for each port, pinned as bpf/links/<port> (Linux 6.6): where traffic control has no BPF filters
 *
 * docs/decisions/network.md has the figures.
 */
#ifndef CLOISTER_NET_ATTACH_H
#define CLOISTER_NET_ATTACH_H

#include "net/switch.h"

const char *attach_name(enum net_attach a);

/* Tries what there is, or what node.conf names, and writes it down; one that has chosen stays with it. s->prog is before all ports of clsact then. */
int attach_choose(const struct ctx *c, struct net_switch *s, struct err *e);
/* What was written down; -ENOENT: nothing, it was not wholly made. */
int attach_read(struct net_switch *s, struct err *e);

/* From when this returns on nothing that arrives there passes by the program. It goes with the interface, and the pin with attach_gone(). */
int attach_port(struct net_switch *s, const char *port, int ifindex, struct err *e);
void attach_gone(struct net_switch *s, const char *port);
/* A tcx link of another program, in the switch's namespace: its descriptor. */
int attach_tcx(struct net_switch *s, int prog, int ifindex, struct err *e);
/* Pins of links whose interface has gone. Returns how many. */
int attach_sweep(struct net_switch *s, struct err *e);

#endif
