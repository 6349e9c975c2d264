/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Who is up, told by one directory's names: for `list`, which must not read a file and a process for each of
 * thousands of zones. An index only: where it and the kernel disagree, ask zone_status().
 *
 *	/run/cloister/.up/<uuid>.<zoneid>.<pid of init>.<boot ns>.<start of boot id>
 *	/run/cloister/.up/<uuid>.halting
 *
 * The keeper puts an entry when init has been exec'd; teardown drops it. Until then an ended zone's entry is there,
 * whose process is not: the zone is asked. Libc only. run: the node's run directory, seen from dir as in openat(2).
 */
#ifndef CLOISTER_ZONE_UP_H
#define CLOISTER_ZONE_UP_H

#include "base/ctx.h"
#include "zone/run.h"

struct zone_up {
	const char *uuid; /* for the length of the callback; not NUL-terminated: 36 characters */
	bool halting;     /* this entry says only that somebody is stopping it */
	uint64_t zoneid, boot_ns;
	pid_t pid;
};

int zone_up_put(int dir, const char *run, const char *uuid, const struct run_zone *z, struct err *e);
/* What is there of it, and that it is being stopped. r: as zone_status() had it; a missing entry is fine. */
int zone_up_drop(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e);
int zone_up_halting(const char *run, const char *uuid, bool on, struct err *e);
/* Entries of this boot, in no order. */
int zone_up_each(const struct ctx *c, void (*each)(const struct zone_up *, void *arg), void *arg, struct err *e);
/*
 * Whether an entry's process is that zone's: its user id is in the zone's range, which no other process has. proc: a
 * descriptor of /proc.
 */
bool zone_up_alive(int proc, const struct zone_up *u, uint32_t id_base);

#endif
