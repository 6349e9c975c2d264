/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The limits of a VM record put on its zone's cgroups, and read back from there. What the record says and what the
 * kernel holds agree after limits_apply(), or it failed and named the property.
 */
#ifndef CLOISTER_ZONE_LIMITS_H
#define CLOISTER_ZONE_LIMITS_H

#include <jansson.h>
#include <stdint.h>

#include "base/ctx.h"
#include "kern/cgroup.h"

/* cpu_shares, cpu_cap, max_physical_memory, max_swap, max_lwps. The cgroups exist; the zone may run. */
int limits_apply(struct ctx *c, const struct cg_host *h, const json_t *rec, struct err *e);

/*
 * memory_reservation of a record, of which brand and that are looked at: whether this host can hold to it. 1 = it is a machine's, which its
 * balloon leaves it, and from which the kernel takes nothing: a guest's memory goes to swap alone, and there is none.
 */
int limits_can_reserve(const struct cg_host *h, const json_t *rec, struct err *e);

/*
 * Another number after each limits_apply() of the node, that failed ones too: who keeps limits in mind asks this one first.
 * 0: none has been applied since the machine's start.
 */
uint64_t limits_generation(const struct ctx *c);

/* As the kernel holds them; UINT64_MAX = no limit. */
struct limits {
	uint64_t cpu_shares, cpu_cap /* % of one CPU */, memory, memory_and_swap /* bytes */, lwps;
	uint64_t locked; /* bytes each process may lock: init's hard limit; UINT64_MAX too when nothing runs */
	uint64_t cpu_baseline, cpu_burst_time, bursting; /* limits_burst(): percent, seconds; none: UINT64_MAX */
	struct cg_usage usage;
};
/* init: pid of the zone's init in the global zone, 0 = not running. -ENOENT: the zone has no cgroups. */
int limits_get(const struct cg_host *h, const char *uuid, pid_t init, struct limits *out, struct err *e);
/* What the kernel does not know of a running zone with a cpu_baseline: that, and its whole cap. run: as in ctx. */
void limits_burst(const char *run, const char *uuid, struct limits *l);

/*
 * RLIMIT_MEMLOCK of every process of a running zone. Lowering always works; where the kernel lets nobody here raise a
 * hard limit (no CAP_SYS_RESOURCE) this is -EPERM with the hint that it holds from the next boot on.
 */
int limits_locked_live(const struct cg_host *h, const char *uuid, uint64_t bytes, struct err *e);

/*
 * The time slice that goes with these cpu_shares (kern/slice.h), for all that runs in the zone. It decides when the zone gets
 * what its shares give it, so one that can't be set, or the kernel's having none, is no failure: that is logged.
 */
int limits_slice_live(const struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t shares, struct err *e);

#endif
