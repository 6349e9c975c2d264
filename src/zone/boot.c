/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zone/zone.h"
#include "zone/zoneadmd.h"

static void remove_stale(const char *run_dir)
{
	static const char *const names[] = {"zone", "ended", "halting", "ready", "mounts", "worker", "console.sock"};
	_fd_ int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; dir >= 0 && i < ARRAY_LEN(names); i++)
		unlinkat(dir, names[i], 0);
}

int zone_boot(struct ctx *c, const struct zspec *z, struct zone_run *r, struct err *e)
{
	const char *argv[] = {"zoneadmd", "--boot", z->uuid, NULL};
	_free_ char *path = xprintf("%s/spec", z->run_dir);
	_buf_ struct buf text = BUF_INIT;
	_fd_ int fd = -1;
	char answer[128] = "";
	int rc = dir_make(z->run_dir, 0700, e);

	if (rc == 0 && z->log_dir)
		rc = dir_make(z->log_dir, 0700, e);
	if (rc < 0)
		return rc;
	remove_stale(z->run_dir);
	zspec_write(z, &text);
	rc = file_replace(path, buf_str(&text), text.len, 0600, 0, e);
	if (rc == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		rc = fd < 0 ? err_sys(e, errno, "%s", path) : zoneadmd_run(c, argv, fd, answer, sizeof answer, e);
	}
	if (rc == 0)
		rc = zone_status(c, z->uuid, r, e);
	/* Nothing of it runs now: zoneadmd has seen to that before it answered. */
	if (rc < 0)
		dir_remove(AT_FDCWD, z->run_dir, NULL);
	return rc;
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
