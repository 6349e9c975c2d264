/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The pool's life: attach, detach, destroy; create is in pool_create.c. pool.conf is written first and its state says
 * how far it got, so that what a kill leaves is cleared by the next create or destroy.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "kern/cgroup.h"
#include "store/pool.h"

#define END_MS   3000 /* for the processes of zones that have just ended */
#define RETRY_MS 20
#define BUILT_MS 5000 /* a zone of another node that is being built has a copy of all mounts, for longer where processors are scarce */
#define RETRIES  10

int pool_lock(struct ctx *c, struct err *e)
{
	_fd_ int fd = -1;
	char path[96];
	int r = dir_make(c->node.run, 0755, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof path, "%s/pool.lock", c->node.run);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "lock %s", path);
	return take_fd(&fd);
}

int pool_is_attached(struct ctx *c, const struct pool_conf *p, bool need_marker)
{
	_fd_ int fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;
	const struct store_ops *ops = store_driver(p->driver);

	if (fd < 0 || !ops || ops->check(fd, p->fsid) != 1)
		return 0;
	if (need_marker)
		return faccessat(fd, STORE_META "/pool.conf", F_OK, 0) == 0;
	/* half made: is it a mount at all, where the host itself may be on the same file system? */
	return fstat(fd, &a) == 0 && fstatat(fd, "..", &b, 0) == 0 && a.st_dev != b.st_dev;
}

int pool_attach_now(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	int r = dir_make(c->node.pool, 0700, e);

	if (r < 0)
		return r;
	return store_driver(p->driver)->mount(c, p, e);
}

/*
 * A zone that has just ended may still be on its way out: its keeper lets go of mounts, a clone is being made ready.
 * Waits for those processes; then the kernel's own end of it, of which nobody is told, a few times.
 */
static void wait_for_ends(struct ctx *c, int round)
{
	struct cg_host h;

	if (round == 0 && cg_host_find(c, &h, NULL) == 0)
		cg_sup_wait(&h, END_MS);
	else
		poll(NULL, 0, RETRY_MS);
}

static int unmount(struct ctx *c, const struct pool_conf *p)
{
	while (pool_is_attached(c, p, p->state == POOL_ONLINE))
		if (umount2(c->node.pool, UMOUNT_NOFOLLOW) < 0)
			return -errno;
	return 0;
}

/*
 * A process whose mount namespace still shows the pool where it was: one of its own keeps what was mounted when it was
 * made, if nobody told it. Only for a message: 0 when there is none to be seen.
 */
static pid_t holder(const char *pool, char name[20])
{
	_free_ char *at = xprintf(" / %s ", pool);
	_dir_ DIR *d = opendir("/proc");

	for (struct dirent *de; d && (de = readdir(d));) {
		_buf_ struct buf mounts = BUF_INIT, comm = BUF_INIT;
		char path[64];
		int pid = atoi(de->d_name);

		if (pid <= 0)
			continue;
		snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
		if (file_read(AT_FDCWD, path, 4 << 20, &mounts, NULL) < 0 || !strstr(buf_str(&mounts), at))
			continue;
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		if (file_read(AT_FDCWD, path, 64, &comm, NULL) == 0)
			snprintf(name, 20, "%.*s", (int)strcspn(buf_str(&comm), "\n"), buf_str(&comm));
		return pid;
	}
	return 0;
}

int pool_detach_now(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	const struct store_ops *ops = store_driver(p->driver);
	bool busy = false;
	int r = 0;

	for (int round = 0;; round++) {
		r = unmount(c, p);
		busy = r == 0 && p->kind != POOL_FOLDER && ops->busy(p->fsid);
		if (r != -EBUSY && !busy)
			break;
		if (round < (busy ? BUILT_MS / RETRY_MS : RETRIES))
			wait_for_ends(c, round);
		else
			break;
	}
	if (r < 0) {
		err_sys(e, r, "unmount %s", c->node.pool);
		if (r == -EBUSY)
			err_hint(e, "something works below %s: stop the VMs, leave the folder", c->node.pool);
		return r;
	}
	if (busy) {
		char name[20] = "?";
		pid_t pid = holder(c->node.pool, name);

		/* gone here, but alive in another mount namespace: nothing may be taken from under it */
		pool_attach_now(c, p, NULL);
		if (pid) {
			err_set(e, EBUSY, "the pool is still mounted in the mount namespace of process %d (%s)", (int)pid, name);
			return err_hint(e, "End it, or unmount %s there: nsenter -t %d -m umount %s", c->node.pool, (int)pid, c->node.pool);
		}
		err_set(e, EBUSY, "the pool is still in use by a zone");
		return err_hint(e, "stop the VMs first");
	}
	return 0;
}

int pool_clear(struct ctx *c, struct pool_conf *p, struct err *e)
{
	int r = pool_detach_now(c, p, e);

	if (r == 0)
		r = store_driver(p->driver)->wipe(c, p, e);
	if (r == 0)
		r = pool_conf_remove(c, e);
	if (r == 0 && rmdir(c->node.pool) < 0 && errno != ENOENT)
		ctx_log(c, LOG_DEBUG, "pool: %s stays: %s", c->node.pool, err_name(errno));
	return r < 0 ? err_add(e, "clear the pool") : 0;
}

int pool_attach(struct ctx *c, struct err *e)
{
	struct pool_conf p;
	struct store *s = NULL;
	_fd_ int lock = -1;
	int r;

	if (store_open(c, &s, NULL) == 0) {
		store_close(&s);
		return 0;
	}
	lock = pool_lock(c, e);
	if (lock < 0)
		return lock;
	r = pool_conf_load(c, &p, NULL);
	if (r < 0 || p.state != POOL_ONLINE || !store_driver(p.driver)) /* let it say why */
		return store_open(c, &s, e);
	if (!pool_is_attached(c, &p, true)) {
		r = pool_attach_now(c, &p, e);
		if (r < 0) {
			err_add(e, "attach pool");
			return -ENODEV;
		}
	}
	r = store_open(c, &s, e);
	if (r < 0)
		return r;
	store_close(&s);
	return 1;
}

/* Takes the pool's lock (*lock is the caller's to close) and loads what is known of the pool. -ENOENT: there is none. */
static int lock_load(struct ctx *c, int *lock, struct pool_conf *p, struct err *e)
{
	int r;

	*lock = pool_lock(c, e);
	if (*lock < 0)
		return *lock;
	r = pool_conf_load(c, p, e);
	return r == 0 && !store_driver(p->driver) ? err_set(e, ENOTSUP, "pool.conf: driver \"%s\" is not known", p->driver) : r;
}

int pool_detach(struct ctx *c, struct err *e)
{
	struct pool_conf p;
	_fd_ int lock = -1;
	int r = lock_load(c, &lock, &p, e);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : pool_detach_now(c, &p, e);
}

int pool_destroy(struct ctx *c, struct err *e)
{
	struct pool_conf p;
	_fd_ int lock = -1;
	int r = lock_load(c, &lock, &p, e);

	if (r == -ENOENT)
		return err_set(e, ENODEV, "this node has no pool");
	/* unmounted while the state still says online: when that is refused, nothing has changed */
	if (r == 0)
		r = pool_detach_now(c, &p, e);
	if (r == 0)
		r = failpoint("pool-destroy", e);
	if (r < 0)
		return r;
	p.state = POOL_DESTROYING;
	r = pool_conf_save(c, &p, -1, e);
	if (r == 0)
		r = failpoint("pool-wipe", e);
	return r < 0 ? r : pool_clear(c, &p, e);
}
