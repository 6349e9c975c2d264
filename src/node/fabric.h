/* SPDX-License-Identifier: MPL-2.0 */
/* Fabrics as objects of kind "fabric", each with the nic tag of its name. */
#ifndef CLOISTER_NODE_FABRIC_H
#define CLOISTER_NODE_FABRIC_H

#include "net/fabric.h"
#include "state/state.h"

/* Makes the nic tag and the fabric. f->mtu 0: what the way to all ends carries; more than that is refused. f->id is set. */
int fabric_add(struct ctx *c, const char *tag, struct fabric *f, struct err *e);
/* -EBUSY: a VM has a NIC on it. */
int fabric_delete(struct ctx *c, const char *tag, struct err *e);
int fabric_each(struct ctx *c, int (*each)(const char *tag, const struct fabric *f, void *arg), void *arg, struct err *e);
/* 1 = the nic tag is a fabric's. */
int fabric_is(struct state *st, const char *tag);
/* Those of all tags, as after a boot, or none; what can't be done is logged and counted. */
int fabrics_up(struct ctx *c, struct err *e);
int fabrics_down(struct ctx *c, struct err *e);

#endif
