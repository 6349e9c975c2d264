/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Running a program in a zone from outside (zlogin): joins all its namespaces, its login cgroup, capabilities and
 * system call filter, then execs. Works when the zone's quota or memory is used up.
 */
#ifndef CLOISTER_ZONE_ENTER_H
#define CLOISTER_ZONE_ENTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/ctx.h"
#include "zone/zone.h"

struct enter {
	const char *user;         /* login name inside, NULL = root */
	const char *const *argv;  /* NULL = the user's login shell */
	bool pty;                 /* a terminal of the zone's own devpts between us and it */
	char escape;              /* with pty: this character and "." at the beginning of a line leave; 0 = none */
	bool safe;                /* -S: nothing of the zone's files is trusted: /bin/sh, no profile, no login */
	const char *const *env;   /* extra "A=b" */
	const char *announce;     /* with pty: the name for "[Connected to zone 'name' pts/3]", NULL = quiet */
	int in, out, err;         /* relayed, never handed in (err not used with pty); -1 = the zone's /dev/null */
};

/* 0..255: the program's exit status, 128+n for a signal, 126/127 when it could not be executed or found; or -errno. */
int zone_enter(struct ctx *c, const struct cg_host *h, const struct zone_run *r, const struct zspec *z, const struct enter *en, struct err *e);
/*
 * Attaches the terminal (in, out) to the zone's console: 0 = the person left (escape and ".", end of file), 1 = the zone
 * ended, 128+n = signal n. -ESRCH: the zone has no console now.
 */
int zone_console(struct ctx *c, const char *uuid, int in, int out, char escape, struct err *e);

#endif
