/* SPDX-License-Identifier: MPL-2.0 */
/* Mounts and devices of a running zone: zoneadmd --live does it, for joining namespaces takes a program of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zone/zone.h"
#include "zone/zoneadmd.h"

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
