/* SPDX-License-Identifier: MPL-2.0 */
/* The NICs of a VM: from its record to ports of the node's switch, at boot and at halt. */
#ifndef CLOISTER_NODE_NICS_H
#define CLOISTER_NODE_NICS_H

#include <sys/types.h>

#include "node/vm.h"

/*
 * Whether the tags of its nics are there, and this node can do what they ask for: before anything is stored or made. st NULL: opened for it.
 * The addresses of NICs that old has as they are stay: whoever changes something else is not in their way. old NULL: there was none.
 */
int nics_check(struct ctx *c, struct state *st, const json_t *old, const json_t *rec, struct err *e);
/*
 * Makes them, in the network namespace of init, which is not running yet; of a machine taps, whose other ends are sent over go. What it has made stands in <run>/net/<uuid>. On
 * failure nothing is left.
 */
int nics_up(struct vm *v, pid_t init, int go, struct err *e);
/*
 * Takes away what nics_up() has made, whoever it was and however the zone ended. 0, also if there is nothing. An event for each that
 * the zone had taken away itself.
 */
int nics_down(const struct ctx *c, const char *uuid, struct err *e);

/*
 * The NICs of a running zone from those of one record to those of another: added, removed, and what can change of the others. Nothing
 * if it does not run. It may be begun anywhere between the two, and so is its own undo.
 */
int nics_live(struct vm *v, const json_t *from, const json_t *to, struct err *e);
/* What of a change waits for the next boot: "nics.*.mtu"…, appended to the list. */
void nics_later(const json_t *from, const json_t *to, json_t *list);

#endif
