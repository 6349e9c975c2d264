/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_HOLD_H
#define CLOISTER_NODE_HOLD_H

#include <jansson.h>

#include "base/ctx.h"

/*
 * Whether this host can hold these limits, as far as that shows before the zone runs: as its boot would say. want: a record,
 * or those members of one that are new; what is not in it is not asked.
 */
int hold_check(struct ctx *c, const json_t *want, struct err *e);
/* The same of those members that an update has changed. */
int hold_check_changed(struct ctx *c, const json_t *rec, const json_t *changed, struct err *e);

#endif
