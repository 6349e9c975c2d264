/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/pidfd.h"
#include "zone/index.h"
#include "zone/usage_now.h"
#include "zone/zone.h"

/* Long enough for a worker to write its last lines; then it is killed. */
#define LEAVE_MS 2000
#define DIE_MS   30000
#define STUCK_MS 3000

/* Waits for a process of ours to leave by itself, and makes it. */
static int leave(pid_t pid, uint64_t start, int ms, const char *who, struct err *e)
{
	_fd_ int fd = pidfd_of(pid, start, NULL);

	if (fd < 0)
		return 0;
	if (ms && pidfd_wait(fd, ms) == 0)
		return 0;
	pidfd_kill(fd, SIGKILL);
	if (pidfd_wait(fd, DIE_MS) < 0)
		return err_set(e, ETIME, "the zone's %s (process %d) does not end", who, (int)pid);
	return 0;
}

static int worker_leave(const struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/worker", c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;
	unsigned long long start;
	int pid;

	if (file_read(AT_FDCWD, path, 256, &b, NULL) < 0 || sscanf(buf_str(&b), "%d %llu", &pid, &start) != 2)
		return 0;
	return leave(pid, start, 0, "worker", e);
}

int zone_kill(struct ctx *c, const struct cg_host *h, const char *uuid, const struct zone_run *r, struct err *e)
{
	int rc = r->halting ? 0 : zone_mark_halting(c, uuid, true, e);

	return rc < 0 ? rc : cg_zone_kill(h, uuid, e);
}

int zone_end(struct ctx *c, const struct cg_host *h, const char *uuid, const struct zone_run *killed, struct zone_run *end,
	     struct err *e)
{
	struct zone_run r;
	int rc = 0;

	if (killed)
		r = *killed;
	else
		rc = zone_status(c, uuid, &r, e);
	if (rc == 0 && !killed)
		rc = zone_kill(c, h, uuid, &r, e);
	if (rc < 0)
		return rc;
	/* Init may have been booting, not yet in the cgroup that was killed; then its keeper gives up when it goes. */
	if (r.running && !killed) {
		_fd_ int fd = zone_pidfd(&r, NULL);

		if (fd >= 0)
			pidfd_kill(fd, SIGKILL);
		rc = zone_wait(c, &r, STUCK_MS, NULL);
		/* Somebody inside waits for an answer that the worker stopped short of: the next worker gives it. */
		if (rc == -ETIME)
			rc = worker_leave(c, uuid, e);
		if (rc == 0)
			rc = zone_wait(c, &r, DIE_MS, e);
		if (rc < 0)
			return rc;
	}
	/* what it used last goes with its cgroups; where its init never ran there is nobody to charge */
	if (r.init_start)
		usage_zone_now(c, h, uuid, r.init_start);
	/* its cgroups, while the keeper takes down what the zone was made of */
	rc = cg_zone_destroy(h, uuid, STUCK_MS, NULL);
	if (rc < 0) {
		worker_leave(c, uuid, NULL);
		rc = cg_zone_destroy(h, uuid, DIE_MS, e);
	}
	/*
	 * A command that the keeper itself has called must not wait for it: the keeper waits for the command. It touches
	 * nothing by path any more, so the zone may even be booted again meanwhile, with a keeper of its own.
	 */
	if (rc == 0 && r.keeper && r.keeper_pid != getppid())
		/* Where init had ended before, the keeper waits or has called a command: neither is of use any more. */
		rc = leave(r.keeper_pid, r.keeper_start, r.running ? LEAVE_MS : 0, "keeper", e);
	if (rc == 0)
		rc = worker_leave(c, uuid, e);
	if (rc == 0)
		rc = zone_status(c, uuid, end, e);
	/* it was we who killed it, and no keeper has lived to say so */
	if (rc == 0 && r.running && end->ended == ZONE_END_NONE) {
		end->ended = ZONE_END_SIGNAL;
		end->end_status = SIGKILL;
	}
	return rc;
}

int zone_forget(struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *dir = xprintf("%s/%s", c->node.run, uuid);
	_fd_ int run = open(c->node.run, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (run >= 0)
		index_forget(run, uuid);
	return dir_remove(AT_FDCWD, dir, e);
}

int zone_teardown(struct ctx *c, const struct cg_host *h, const char *uuid, struct err *e)
{
	struct zone_run end;
	int r = zone_end(c, h, uuid, NULL, &end, e);

	return r < 0 ? r : zone_forget(c, uuid, e);
}
