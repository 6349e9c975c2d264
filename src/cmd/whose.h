/* SPDX-License-Identifier: MPL-2.0 */
/* What `cloister whose` is made of: the question, the answers, and where they come from. */
#ifndef CLOISTER_CMD_WHOSE_H
#define CLOISTER_CMD_WHOSE_H

#include "cmd/zone_pick.h"
#include "kern/netdiag.h"
#include "stat/procs.h"

#define WHOSE_GLOBAL UINT32_MAX /* in place of a zone's number */

struct whose_answer {
	unsigned zone;
	struct net_item item;
	pid_t pid;        /* who has the socket, 0 = not known */
};

struct whose {
	struct ctx *c;
	struct cg_host h;
	struct zone_pick zones;  /* all that run */
	struct procs ps;         /* their processes */
	struct whose_answer *a;
	size_t n;
};

/*
 * Each item of a kind that fits, in the global zone and in each network namespace that a process of a zone is in. family,
 * addr: of NET_ADDR and NET_LINK; port of sockets. The caller stays where it is.
 */
int whose_net(struct whose *w, enum net_kind k, const struct net_item *want, struct err *e);
/* The processes that have the sockets of all answers: descriptors are read once, however many sockets a zone has. */
void whose_sockets(struct whose *w);

#endif
