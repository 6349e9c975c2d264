/* SPDX-License-Identifier: MPL-2.0 */
/* Mounts and devices of a running zone: zoneadmd --live does it, for joining namespaces takes a program of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/zone.h"
#include "zone/zoneadmd.h"

#define EMPTY_MS 30000

static int live(const struct ctx *c, const struct zone_run *r, const char *verb, const struct zspec *z, const char *name,
		struct err *e)
{
	char init[16], start[24], keeper[16], answer[64];
	const char *argv[] = {"zoneadmd", "--live", verb, init, start, keeper, name, NULL};
	_fd_ int fd = memfd_create("spec", MFD_CLOEXEC);
	_buf_ struct buf text = BUF_INIT;

	if (!r->running)
		return err_set(e, ESRCH, "the zone is not running");
	if (!r->keeper)
		return err_set(e, ESTALE, "the zone has no keeper");
	if (z)
		zspec_write(z, &text);
	if (fd < 0 || (text.len && fd_write_all(fd, text.p, text.len) < 0))
		return err_sys(e, errno, "memfd");
	snprintf(init, sizeof init, "%d", (int)r->init_pid);
	snprintf(start, sizeof start, "%llu", (unsigned long long)r->init_start);
	snprintf(keeper, sizeof keeper, "%d", (int)r->keeper_pid);
	return zoneadmd_run(c, argv, fd, answer, sizeof answer, e);
}

int zone_mount_add(const struct ctx *c, const struct zone_run *r, const struct zspec *z, const struct zmount *m, struct err *e)
{
	struct zspec one = {.id_base = z->id_base, .mounts = (struct zmount *)m, .nmounts = 1};
	int rc = live(c, r, "add-mount", &one, NULL, e);

	return rc < 0 ? err_add(e, "mount %s", m->target) : 0;
}

int zone_mount_remove(const struct ctx *c, const struct zone_run *r, const char *target, struct err *e)
{
	return live(c, r, "remove-mount", NULL, target, e);
}

int zone_mounts_remove_start(const struct ctx *c, const struct zone_run *r, const char *const *targets, size_t n, struct zone_emptying *a,
			     struct err *e)
{
	const char *argv[6 + ZONE_EMPTYING_MAX + 1] = {"zoneadmd", "--live", "remove-mounts"};
	char init[16], start[24], keeper[16];
	_fd_ int in = -1, go = -1;
	int p[2], rc;

	*a = ZONE_EMPTYING_INIT;
	if (!r->running || !r->keeper)
		return err_set(e, ESRCH, "the zone is not running, or has no keeper");
	if (n > ZONE_EMPTYING_MAX)
		return err_set(e, E2BIG, "more than %d mounts at once", ZONE_EMPTYING_MAX);
	snprintf(init, sizeof init, "%d", (int)r->init_pid);
	snprintf(start, sizeof start, "%llu", (unsigned long long)r->init_start);
	snprintf(keeper, sizeof keeper, "%d", (int)r->keeper_pid);
	argv[3] = init;
	argv[4] = start;
	argv[5] = keeper;
	memcpy(argv + 6, targets, n * sizeof *targets);
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	in = p[0];
	go = p[1];
	rc = zoneadmd_spawn(c, argv, in, -1, &a->pid, &a->reply, e);
	if (rc == 0)
		a->go = take_fd(&go);
	return rc;
}

int zone_mounts_remove_begin(struct zone_emptying *a, struct err *e)
{
	if (a->gone || a->begun)
		return 0;
	if (a->go < 0)
		return err_set(e, EINVAL, "nobody was started to take mounts away");
	/* of one that has ended already the answer is what it said */
	if (write(a->go, "g", 1) != 1 && errno != EPIPE)
		return err_sys(e, errno, "tell zoneadmd");
	a->begun = true;
	return 0;
}

int zone_mounts_remove(const struct ctx *c, struct zone_emptying *a, struct err *e)
{
	uint64_t until = clock_mono_ns() + EMPTY_MS * 1000000ULL;
	struct ctx limited = *c;
	char answer[64];
	pid_t pid = a->pid;
	int rc;

	if (a->gone)
		return 0;
	rc = zone_mounts_remove_begin(a, e);
	if (rc < 0)
		return rc;
	if (!limited.deadline || limited.deadline > until)
		limited.deadline = until;
	a->pid = 0;
	rc = zoneadmd_hear(&limited, pid, &a->reply, NULL, NULL, answer, sizeof answer, e);
	a->gone = rc == 0;
	/* not -ETIME, which is a monitor's that answers too late */
	return rc == -ETIME ? err_set(e, EBUSY, "its mounts were not taken away within %d s", EMPTY_MS / 1000) : rc;
}

void zone_emptying_done(struct zone_emptying *a)
{
	own_fd(&a->go);
	own_fd(&a->reply);
	if (a->pid > 0)
		while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
			;
	*a = ZONE_EMPTYING_INIT;
}

int zone_dev_add(const struct ctx *c, const struct zone_run *r, const struct zspec *z, const struct zdev *d, struct err *e)
{
	struct zspec one = {.id_base = z->id_base, .devs = (struct zdev *)d, .ndevs = 1};

	return live(c, r, "add-dev", &one, NULL, e);
}

int zone_dev_remove(const struct ctx *c, const struct zone_run *r, const char *name, struct err *e)
{
	return live(c, r, "remove-dev", NULL, name, e);
}

int zone_file_write(const struct ctx *c, const struct zone_run *r, const struct zfile *f, struct err *e)
{
	struct zspec one = {.files = (struct zfile *)f, .nfiles = 1};
	int rc = live(c, r, "write-file", &one, NULL, e);

	return rc < 0 ? err_add(e, "write %s in the zone", f->path) : 0;
}
