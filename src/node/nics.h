/* SPDX-License-Identifier: MPL-2.0 */
/* The NICs of a VM: from its record to ports of the node's switch, at boot and at halt. */
#ifndef CLOISTER_NODE_NICS_H
#define CLOISTER_NODE_NICS_H

#include <sys/types.h>

#include "node/vm.h"

/* Whether the tags of its nics are there, and this node can do what they ask for: before anything is stored or made. st NULL: opened for it. */
int nics_check(struct ctx *c, struct state *st, const json_t *rec, struct err *e);
/*
 * Makes them, in the network namespace of init, which is not running yet. What it has made stands in <run>/net/<uuid>. On
 * failure nothing is left.
 */
int nics_up(struct vm *v, pid_t init, struct err *e);
/* Takes away what nics_up() has made, whoever it was and however the zone ended. 0, also if there is nothing. */
int nics_down(const struct ctx *c, const char *uuid, struct err *e);

#endif
