/* SPDX-License-Identifier: MPL-2.0 */
/* Accounting by commands (zone/usage.h): samples between those of the workers, and what is kept of a VM that is deleted. */
#ifndef CLOISTER_ZONE_USAGE_NOW_H
#define CLOISTER_ZONE_USAGE_NOW_H

#include "base/ctx.h"
#include "kern/cgroup.h"

#define USAGE_DIR     "usage"
#define USAGE_DELETED "deleted"

/*
 * Adds what the zone, whose init began then (ticks since the host's boot), has used until now to its file. It can't fail for the caller: what can't be
 * written is said in the log.
 */
void usage_zone_now(const struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t init_start);
/*
 * The same of a VM that does not run: the room that its dataset takes. Call it before what starts it, or changes or ends its
 * dataset: what it finds is taken for the whole time since the last record. created_ns: when the VM was made.
 */
void usage_stopped_now(const struct ctx *c, const char *uuid, uint32_t id_base, uint64_t created_ns);
void usage_host_now(const struct ctx *c);
/*
 * The files of a VM that was deleted: their records join those of all that were, and they go. `cloister boot` and `cloister usage`
 * do that; a delete itself touches nothing of it.
 */
int usage_retire(const struct ctx *c, const char *uuid, struct err *e);

#endif
