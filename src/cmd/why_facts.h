/* SPDX-License-Identifier: MPL-2.0 */
/* Gathers what `cloister why` judges by: two samples of the zones, and looks at one of them. */
#ifndef CLOISTER_CMD_WHY_FACTS_H
#define CLOISTER_CMD_WHY_FACTS_H

#include "base/buf.h"
#include "cmd/zone_pick.h"
#include "kern/mountmap.h"
#include "stat/sample.h"
#include "stat/why.h"

struct why_gather {
	struct ctx *c;
	struct cg_host h;
	const struct zone_picked *z; /* the one */
	struct stat_sample all, one; /* of all zones what they use of the host; of the one everything */
	struct procs before, after;
	struct mountmap mounts;
	uint64_t io_then[4];  /* its I/O on the pool's devices, if that is known */
	bool io_known;
	struct buf disk_then; /* /proc/diskstats */
	struct why_facts f;
};

/* Looks, waits for ns, looks again. g->c and g->z are the caller's; why_gather_done() at the end. */
int why_gather(struct why_gather *g, uint64_t ns, struct err *e);
void why_gather_done(struct why_gather *g);
/* How often its init was started again, or its processes were killed for memory, in the last ten minutes. */
void why_events(const struct ctx *c, const char *uuid, struct why_facts *f);
/* The busiest disk between two texts of /proc/diskstats that are ms apart; false: none did anything. Pure. */
bool why_disk(const char *then, const char *now, double ms, char name[64], unsigned *percent);

#endif
