/* SPDX-License-Identifier: MPL-2.0 */
/* Starting zoneadmd and what it says back. Private to this folder. */
#ifndef CLOISTER_ZONE_ZONEADMD_H
#define CLOISTER_ZONE_ZONEADMD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/ctx.h"
#include "zone/zone.h"

/*
 * Runs <libexec>/zoneadmd argv… with descriptor `in` as 3, a pipe as 4, the VM's lock as 5 where it is handed on (else -1)
 * and a session of its own, and reads the pipe to its end
 * or to its verdict. Lines: "step NAME US" (logged), then "ok TEXT" or "err CODE\tMESSAGE\tHINT" (tabs and newlines
 * are escaped). Returns 0, with the text after ok in answer, or the error it reported.
 */
int zoneadmd_run(const struct ctx *c, const char *const *argv, int in, char *answer, size_t n, struct err *e);
/* Its two halves: the process spawned, the pipe to read from in *reply; then the answer. Both are done with after it. */
int zoneadmd_spawn(const struct ctx *c, const char *const *argv, int in, int lock, pid_t *pid, int *reply, struct err *e);
/*
 * "net PID" among the lines: init of the zone, which does not run yet, is in its network namespace; net makes its links, and
 * zoneadmd goes on when a letter on *go says so, or gives up when that is closed.
 */
int zoneadmd_hear(const struct ctx *c, pid_t pid, int *reply, int *go, const struct zone_net *net, char *answer, size_t n, struct err *e);

#endif
