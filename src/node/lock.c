/* SPDX-License-Identifier: MPL-2.0 */
#include "node/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "zone/claim.h"

#define DIE_MS 30000
#define INTENT_MAX (16 << 20)
#define TRY_MS 5000 /* for who has other things to do; killed it is gone in some milliseconds, where processors are scarce in some more */

static int open_in(const struct ctx *c, const char *dir, const char *name, int flags, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/%s", c->node.run, dir, name);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ENOENT && (flags & O_CREAT)) {
		_free_ char *d = xprintf("%s/%s", c->node.run, dir);
		int r = dir_make(d, 0700, e);

		if (r < 0)
			return r;
		fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	return fd;
}

static int claim(const struct ctx *c, int fd, enum claim what, bool wait, struct err *e)
{
	int r;

	while ((r = claim_take(fd, what, wait)) == -EINTR) {
		r = ctx_check(c, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? err_sys(e, r, "lock") : 0;
}

/* Whose zoneadmd has ended may have children that do so a moment later; of a lock that is let go nobody is told. */
static int work_soon(const struct ctx *c, int fd, struct err *e)
{
	uint64_t until = clock_mono_ns() + TRY_MS * 1000000ULL;
	int r;

	while ((r = claim_take(fd, CLAIM_WORK, false)) == -EAGAIN && clock_mono_ns() < until)
		poll(NULL, 0, 5);
	return r < 0 ? claim(c, fd, CLAIM_WORK, false, e) : 0;
}

/*
 * A command that was killed leaves the zoneadmd that it had started, which has WORK until it has ended: that is soon, and
 * nobody shall have to come again for it.
 */
static int lock_with(const struct ctx *c, const char *uuid, bool wait, struct err *e)
{
	_fd_ int fd = open_in(c, "locks", uuid, O_RDWR | O_CREAT, e);
	int r;

	if (fd < 0)
		return fd;
	r = claim(c, fd, CLAIM_COMMAND, wait, e);
	if (r == 0 && claim_take(fd, CLAIM_WORK, false) == -EAGAIN && claim_end_booting(fd, wait ? DIE_MS : TRY_MS) < 0)
		r = err_set(e, ETIME, "the zoneadmd of a command that was killed does not end");
	if (r == 0)
		r = wait ? claim(c, fd, CLAIM_WORK, true, e) : work_soon(c, fd, e);
	return r < 0 ? err_add(e, "VM %s", uuid) : take_fd(&fd);
}

int lock_take(const struct ctx *c, const char *uuid, struct err *e)
{
	return lock_with(c, uuid, true, e);
}

int lock_try(const struct ctx *c, const char *uuid, struct err *e)
{
	return lock_with(c, uuid, false, e);
}

/* The old one or the new one, also for who looks after a kill: half of it would be taken for another. */
int intent_set(const struct ctx *c, const char *uuid, const char *what, struct err *e)
{
	_free_ char *dir = xprintf("%s/intents", c->node.run), *path = xprintf("%s/%s", dir, uuid);
	int r = file_replace(path, what, strlen(what), 0600, 0, NULL);

	if (r == -ENOENT && (r = dir_make(dir, 0700, e)) == 0)
		r = file_replace(path, what, strlen(what), 0600, 0, NULL);
	return r < 0 ? err_sys(e, r, "intent of VM %s", uuid) : 0;
}

int intent_new(const struct ctx *c, const char *uuid, const char *what, struct err *e)
{
	_fd_ int fd = open_in(c, "intents", uuid, O_WRONLY | O_CREAT | O_EXCL, e);
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_all(fd, what, strlen(what));
	return r < 0 ? err_sys(e, r, "intent of VM %s", uuid) : 0;
}

int intent_read(const struct ctx *c, const char *uuid, struct buf *out)
{
	_free_ char *path = xprintf("%s/intents/%s", c->node.run, uuid);

	return file_read(AT_FDCWD, path, INTENT_MAX, out, NULL);
}

bool intent_there(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/intents/%s", c->node.run, uuid);

	return access(path, F_OK) == 0;
}

int intent_refuse(const struct ctx *c, const char *uuid, struct err *e)
{
	if (!intent_there(c, uuid))
		return 0;
	err_set(e, EBUSY, "VM %s: a command on it was cut off, and what it left can't be cleared up yet: its monitor does not answer", uuid);
	return err_hint(e, "later once more, or vmadm stop %s -F", uuid);
}

void intent_clear(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/intents/%s", c->node.run, uuid);

	unlink(path);
}

int intent_each(const struct ctx *c, int (*each)(const char *uuid, const char *what, void *arg), void *arg, struct err *e)
{
	_free_ char *path = xprintf("%s/intents", c->node.run);
	_dir_ DIR *d = opendir(path);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", path);
	for (struct dirent *de; r >= 0 && (de = readdir(d));) {
		_buf_ struct buf b = BUF_INIT;

		if (!uuid_valid(de->d_name) || file_read(dirfd(d), de->d_name, INTENT_MAX, &b, NULL) < 0)
			continue;
		r = each(de->d_name, buf_str(&b), arg);
	}
	return r < 0 ? r : 0;
}
