/* SPDX-License-Identifier: MPL-2.0 */
/* The running zones that a command line chooses: some by their names, or all. */
#ifndef CLOISTER_CMD_ZONE_PICK_H
#define CLOISTER_CMD_ZONE_PICK_H

#include <stddef.h>

#include "base/ctx.h"
#include "stat/procs.h"
#include "zone/zone.h"

struct zone_picked {
	char uuid[37];
	char *name;       /* owned: the alias, or the zone's name where it has none, or its uuid */
	uint32_t id_base; /* host uid of its root, 0 = not known */
	struct zone_run run;
};

struct zone_pick {
	struct zone_picked *z; /* by name */
	size_t n;
	char (*want)[37];
	char **word;           /* what was said, for messages */
	size_t nwant;
};

/* One -z: an alias, a uuid or the beginning of one, or a zoneid. */
int zone_pick_add(const struct ctx *c, struct zone_pick *p, const char *word, struct err *e);
/* Finds them; without a single zone_pick_add() all that run. -ESRCH: one that was named does not run. */
int zone_pick_find(const struct ctx *c, struct zone_pick *p, struct err *e);
void zone_pick_done(struct zone_pick *p);
/* Both at once, and their processes: numbers of zones are places in z. needs: PROCS_*. */
int zone_pick_procs(const struct ctx *c, struct zone_pick *p, struct procs *ps, unsigned needs, struct err *e);
/* The uuid by its number, as procs_read() asks; pick: the struct. */
const char *zone_pick_uuid(unsigned zone, void *pick);

#endif
