/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zone/settings.h"
#include "zone/zone.h"
#include "zone/zoneadmd.h"

static void remove_stale(const char *run_dir)
{
	static const char *const names[] = {"zone", "ended", "halting", "ready", "mounts", "worker", "console.sock", "settings", "seen", "burst"};
	_fd_ int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; dir >= 0 && i < ARRAY_LEN(names); i++)
		unlinkat(dir, names[i], 0);
}

void zone_start_ahead(const struct ctx *c, const struct cg_host *h, const char *uuid, struct zone_ahead *a)
{
	_free_ char *spec = xprintf("%s/%s/spec", c->node.run, uuid);
	_free_ char *sup = h ? xprintf("%s/%s/_sup", h->v2, h->root) : NULL;
	const char *argv[] = {"zoneadmd", "--boot", uuid, spec, sup, NULL};
	int p[2];

	*a = ZONE_AHEAD_INIT;
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	if (zoneadmd_spawn(c, argv, p[0], &a->pid, &a->reply, NULL) == 0)
		a->go = p[1];
	else
		close(p[1]), a->pid = 0;
	close(p[0]);
}

void zone_ahead_done(struct zone_ahead *a)
{
	own_fd(&a->go);
	own_fd(&a->reply);
	/* what was spawned has ended long since; who waits for the spec is its child, and hears that none will come */
	if (a->pid > 0)
		while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
			;
	a->pid = 0;
}

int zone_boot(struct ctx *c, const struct zspec *z, struct zone_ahead *a, struct zone_run *r, struct err *e)
{
	_free_ char *path = xprintf("%s/spec", z->run_dir);
	_buf_ struct buf text = BUF_INIT;
	char answer[128] = "";
	bool fresh = mkdir(z->run_dir, 0700) == 0;
	int rc = fresh ? 0 : dir_make(z->run_dir, 0700, e);

	if (rc == 0 && z->log_dir)
		rc = dir_make(z->log_dir, 0700, e);
	if (rc < 0)
		return rc;
	if (!fresh)
		remove_stale(z->run_dir);
	zspec_write(z, &text);
	rc = file_replace(path, buf_str(&text), text.len, 0600, 0, e);
	if (rc == 0 && z->settings)
		rc = settings_put(c, z->uuid, z->settings, e);
	if (rc == 0 && a->pid == 0) {
		zone_start_ahead(c, NULL, z->uuid, a);
		if (a->pid == 0)
			rc = err_sys(e, errno, "start %s/zoneadmd", c->libexec);
	}
	if (rc == 0 && write(a->go, "g", 1) != 1)
		rc = err_sys(e, errno, "tell zoneadmd");
	if (rc == 0) {
		pid_t pid = a->pid;

		a->pid = 0;
		rc = zoneadmd_hear(c, pid, &a->reply, answer, sizeof answer, e);
	}
	zone_ahead_done(a);
	if (rc == 0)
		rc = zone_status(c, z->uuid, r, e);
	/* Nothing of it runs now: zoneadmd has seen to that before it answered. */
	if (rc < 0)
		dir_remove(AT_FDCWD, z->run_dir, NULL);
	return rc;
}

int zone_spec_memlock(const struct ctx *c, const char *uuid, uint64_t bytes, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid);
	_buf_ struct buf old = BUF_INIT, text = BUF_INIT;
	struct zspec z = {0};
	int r = file_read(AT_FDCWD, path, 1 << 20, &old, e);

	if (r == 0)
		r = zspec_parse(buf_str(&old), old.len, &z, e);
	if (r == 0 && z.memlock != (bytes ?: 1)) {
		z.memlock = bytes ?: 1; /* 0 would be "as the host has it" */
		zspec_write(&z, &text);
		r = file_replace(path, buf_str(&text), text.len, 0600, 0, e);
	}
	zspec_done(&z);
	return r;
}

int zone_adopt(struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *dir = xprintf("%s/%s", c->node.run, uuid), *path = xprintf("%s/spec", dir);
	const char *argv[] = {"zoneadmd", "--adopt", uuid, NULL};
	_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char answer[128];

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	return zoneadmd_run(c, argv, fd, answer, sizeof answer, e);
}
