/* SPDX-License-Identifier: MPL-2.0 */
/* What runs, told from /run and the kernel; signals and waiting. Booting and taking down: boot.c, teardown.c. */
#include "zone/zone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/pidfd.h"
#include "zone/index.h"
#include "zone/run.h"

/* One small file; 0, -ENOENT, or another errno. No allocation: a list calls this for each zone. */
static int read_small(int dir, const char *path, char *text, size_t n)
{
	_fd_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t r;

	if (fd < 0)
		return -errno;
	r = read(fd, text, n - 1);
	if (r < 0)
		return -errno;
	text[r] = 0;
	return 0;
}

static void fill(struct zone_run *out, const struct run_zone *z)
{
	out->init_pid = z->init.pid;
	out->init_start = z->init.start;
	out->keeper_pid = z->keeper.pid;
	out->keeper_start = z->keeper.start;
	out->zoneid = z->zoneid;
	out->boot_ns = z->boot_ns;
}

/* A living keeper says that init runs: it takes that back before anything else when init ends. */
static bool status_indexed(const struct ctx *c, const struct index *x, const char *uuid, struct zone_run *r)
{
	struct run_zone z;
	bool halting;

	if (!index_running(x, uuid, &z, &halting) || !str_eq(z.bootid, c->bootid))
		return false;
	*r = (struct zone_run){.running = true, .keeper = true, .halting = halting};
	fill(r, &z);
	return true;
}

static int status_at(const struct ctx *c, int run, const char *uuid, struct zone_run *r, struct err *e)
{
	struct zone_run out = {0};
	struct run_ended d;
	struct run_zone z;
	char text[512], path[UUID_LEN + 16];
	int rc;

	snprintf(path, sizeof path, "%.36s/zone", uuid);
	rc = read_small(run, path, text, sizeof text);
	if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR)
		return err_sys(e, rc, "%s/%s", c->node.run, path);
	/* A file of an earlier boot says nothing about pids of this one; a torn one can't be, but is treated the same. */
	if (rc == 0 && run_zone_parse(text, &z) == 0 && str_eq(z.bootid, c->bootid)) {
		fill(&out, &z);
		out.running = run_proc_alive(&z.init);
		out.keeper = run_proc_alive(&z.keeper);
	}
	snprintf(path, sizeof path, "%.36s/halting", uuid);
	out.halting = faccessat(run, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!out.running) {
		snprintf(path, sizeof path, "%.36s/ended", uuid);
		if (read_small(run, path, text, sizeof text) == 0 && run_ended_parse(text, &d) == 0) {
			out.ended = d.reason;
			out.end_status = d.status;
			out.end_ns = d.ns;
		}
	}
	*r = out;
	return 0;
}

int zone_status(const struct ctx *c, const char *uuid, struct zone_run *r, struct err *e)
{
	_fd_ int run = -1;

	if (!uuid_valid(uuid))
		return err_set(e, EINVAL, "\"%.64s\" is not a uuid", uuid);
	run = open(c->node.run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run < 0 && errno == ENOENT) {
		memset(r, 0, sizeof *r);
		return 0;
	}
	if (run < 0)
		return err_sys(e, errno, "%s", c->node.run);
	return status_at(c, run, uuid, r, e);
}

int zone_each(const struct ctx *c, int (*each)(const char *uuid, const struct zone_run *, void *arg), void *arg, struct err *e)
{
	_dir_ DIR *d = opendir(c->node.run);
	struct index x;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", c->node.run);
	index_open(dirfd(d), &x);
	for (struct dirent *de; rc == 0 && (de = readdir(d));) {
		struct zone_run r;

		if (!uuid_valid(de->d_name))
			continue;
		if (!status_indexed(c, &x, de->d_name, &r))
			rc = status_at(c, dirfd(d), de->d_name, &r, e);
		if (rc == 0)
			rc = each(de->d_name, &r, arg);
	}
	index_close(&x);
	return rc;
}

int zone_pidfd(const struct zone_run *r, struct err *e)
{
	int fd = pidfd_of(r->init_pid, r->init_start, NULL);

	return fd < 0 ? err_set(e, ESRCH, "the zone is not running") : fd;
}

int zone_mark_halting(const struct ctx *c, const char *uuid, bool on, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/halting", c->node.run, uuid);
	_fd_ int fd = -1, run = -1;

	if (on) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		/* No run directory: nothing runs, so nobody has to be told. */
		if (fd < 0)
			return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	} else if (unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR) {
		return err_sys(e, errno, "%s", path);
	}
	run = open(c->node.run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run >= 0)
		index_halting(run, uuid, on);
	return 0;
}

int zone_signal(const struct zone_run *r, int sig, struct err *e)
{
	_fd_ int fd = zone_pidfd(r, e);
	int rc;

	if (fd < 0)
		return fd;
	rc = pidfd_kill(fd, sig);
	return rc < 0 ? err_sys(e, rc, "signal %d to init", sig) : 0;
}

int zone_wait(const struct ctx *c, const struct zone_run *r, int ms, struct err *e)
{
	_fd_ int fd = pidfd_of(r->init_pid, r->init_start, NULL);
	uint64_t until = clock_mono_ns() + (uint64_t)(ms < 0 ? 0 : ms) * 1000000;

	if (fd < 0)
		return 0;
	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}};
		int64_t left = (int64_t)(until - clock_mono_ns());
		int n = poll(p, 2, ms < 0 ? -1 : left <= 0 ? 0 : (int)(left / 1000000) + 1);

		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "wait for init");
		if (n > 0 && p[0].revents)
			return 0;
		if (n > 0 && p[1].revents)
			return err_set(e, ECANCELED, "interrupted");
		if (n == 0 && ms >= 0)
			return err_set(e, ETIME, "init is still running after %d s", ms / 1000);
	}
}
