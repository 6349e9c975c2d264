/* SPDX-License-Identifier: MPL-2.0 */
/* Between enter.c (outside) and enter_child.c (on the way in). Private to the two. */
#ifndef CLOISTER_ZONE_ENTER_IN_H
#define CLOISTER_ZONE_ENTER_IN_H

#include <signal.h>

#include "base/buf.h"
#include "kern/cgroup.h"
#include "zone/enter.h"

/* All that the child needs, opened while it was still the global zone's business. */
struct enter_in {
	const struct enter *en;
	const struct zspec *z;
	int pidfd;
	int join[CG_JOIN_MAX]; /* v1 tasks files, open for writing */
	int njoin;
	int join_v2;           /* cgroup.procs of the v2 cgroup if it was not born there, else -1 */
	const void *filter; /* system call filter; NULL, 0 = none */
	size_t filter_len;
	int std[3];         /* made for this zone: pipe or pty ends; -1 = the zone's /dev/null */
	int null;           /* the global zone's /dev/null, where the zone's is not one */
	bool pty;
	int report;         /* write end of a close-on-exec pipe */
	int calls;          /* to the keeper, who takes a listener of system calls (kern/notify.h); -1 = nobody does */
	sigset_t mask;      /* the caller's own */
};

/* What comes back on the report pipe; nothing at all if the child was killed on its way in. */
struct enter_report {
	int code;  /* 0 = about to exec */
	char msg[480];
};

/* Runs in the forked child, never returns. */
void enter_child(const struct enter_in *in) __attribute__((noreturn));

#endif
