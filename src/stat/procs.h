/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The processes of zones, which are those in the zones' cgroups and no others.
 *
 *	procs_list(ps, h, uuid, 0, e) for each zone; its number is the caller's
 *	procs_read(ps, h, PROCS_ARGS, e)
 *
 * Nothing that a zone does holds this up. Arguments are in the memory of their process, and whoever reads that waits for
 * as long as the process keeps it locked: a child does it, and what takes it too long is left out.
 */
#ifndef CLOISTER_STAT_PROCS_H
#define CLOISTER_STAT_PROCS_H

#include <stdbool.h>

#include "kern/cgroup.h"
#include "kern/proc.h"

#define PROCS_ARGS_MAX 4096 /* what is read of a process's arguments */

struct procs_one {
	pid_t pid;
	unsigned zone;
	bool there;           /* false after procs_read(): it has gone */
	struct proc_stat stat;
	struct proc_ids ids;  /* PROCS_IDS */
	const char *args;     /* PROCS_ARGS: NUL after each; NULL = they could not be had */
	size_t args_len;      /* 0: it has none */
};

struct procs {
	struct procs_one *p;
	size_t n, cap;
	uint64_t since;       /* ticks since boot when the first zone was listed */
	void *arena;
	size_t arena_len;
};

enum { PROCS_IDS = 1, PROCS_ARGS = 2 }; /* each costs a file a process */

int procs_list(struct procs *ps, const struct cg_host *h, const char *uuid, unsigned zone, struct err *e);
/* uuids: by the zones' numbers. Those that have gone are taken out; the rest are by zone and pid. */
int procs_read(struct procs *ps, const struct cg_host *h, const char *(*uuid)(unsigned zone, void *arg), void *arg, unsigned what,
	       struct err *e);
void procs_done(struct procs *ps);
/* By host pid, NULL = none of these. After procs_read(). */
struct procs_one *procs_find(const struct procs *ps, pid_t pid);
/*
 * A descriptor of that very process, which is in that very zone: a pid that has become another's in between is never
 * taken for it. -ESRCH.
 */
int procs_hold(const struct cg_host *h, const char *uuid, const struct procs_one *p, struct err *e);

#endif
