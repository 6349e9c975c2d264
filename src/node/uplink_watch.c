/* SPDX-License-Identifier: MPL-2.0 */
/* Who gives an unconfirmed uplink back: a process that nothing of the login that started it ends with. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/cgroup.h"
#include "node/later.h"
#include "node/uplink_in.h"
#include "node/vmops.h"

#define WATCH_S 5 /* after a confirmation its watcher is there no longer than this */

/* To the supervisors: systemd may end what is left in a session's own cgroup with it (KillUserProcesses). */
static void leave_session(struct ctx *c, pid_t pid)
{
	struct err why = ERR_INIT;
	struct cg_host h;
	int r = cg_host_find(c, &h, &why);

	if (r == 0)
		r = node_home(c, &h, &why);
	if (r == 0)
		r = cg_node_make(&h, &why);
	if (r == 0)
		r = cg_join(&h, CG_PLACE_SUP, NULL, pid, &why);
	if (r < 0)
		ctx_log(c, LOG_WARN, "who watches the uplink (process %d) stays in the cgroup of this login, and may end with it: %s", (int)pid, why.msg);
}

int uplink_watch_start(struct ctx *c, const char *tag, struct err *e)
{
	pid_t pid;
	int r = later(c, "uplink-watch", tag, NULL, &pid);

	if (r)
		return err_sys(e, r, "start %s uplink-watch", c->self);
	leave_session(c, pid);
	return 0;
}

/* Seconds that are left, as left(); to read alone: a node that has gone meanwhile is not made again. */
static int look_left(struct ctx *c, const char *tag, int64_t *s, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	json_t *o = NULL;
	int r = state_open(c, STATE_READ, &st, e);

	if (r == 0)
		r = state_net_get(st, UPLINK_KIND, tag, &o, e);
	if (r == 0)
		*s = uplink_left(c, o);
	json_decref(o);
	return r;
}

/* Whoever has lost the host by this uplink has nobody else: what fails, as for a lock that another command has, is tried again. */
int uplink_watch(struct ctx *c, const char *tag, struct err *e)
{
	for (;;) {
		struct timespec until = {0};
		int64_t s = WATCH_S;
		int r;

		*e = ERR_INIT;
		r = look_left(c, tag, &s, e);
		if (r == 0 && s == 0) {
			r = uplink_expire(c, tag, e);
			s = WATCH_S;
			if (r == 0)
				return 0;
		}
		if (r == -ENOENT || s < 0)
			return 0;
		if (r < 0 && ctx_check(c, NULL) < 0)
			return r;
		until.tv_sec = uplink_now() + (s < WATCH_S ? s : WATCH_S);
		while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
	}
}
