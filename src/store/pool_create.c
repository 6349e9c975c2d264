/* SPDX-License-Identifier: MPL-2.0 */
/* Making a pool: steps, each with its undo. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/steps.h"
#include "store/pool.h"

static int step_conf(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;

	return pool_conf_save(c, &k->p, -1, e);
}

static int undo_conf(struct ctx *c, void *op, struct err *e)
{
	return pool_conf_remove(c, e);
}

static int step_file(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;
	_fd_ int fd = -1;
	int flags, r;

	if (k->p.kind != POOL_FILE)
		return 0;
	fd = open(k->p.dev[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", k->p.dev[0]);
	k->made = true;
	/* on a copy-on-write host: in place, or overwriting could run out of room (other file systems refuse the flag) */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	r = posix_fallocate(fd, 0, (off_t)k->p.size);
	if (r == 0 && fsync(fd) < 0)
		r = errno;
	if (r) {
		err_sys(e, r, "reserve %llu MiB in %s", (unsigned long long)(k->p.size >> 20), k->p.dev[0]);
		if (r == ENOSPC)
			err_hint(e, "choose a smaller size (-s), or a device");
		return -r;
	}
	return 0;
}

static int undo_file(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;

	if (k->p.kind == POOL_FILE && k->made && unlink(k->p.dev[0]) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", k->p.dev[0]);
	return 0;
}

static int step_format(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;
	int r = k->ops->format(c, &k->p, k->force, e);

	if (r == 0)
		k->made = true;
	return r;
}

static int undo_format(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;

	return k->p.kind == POOL_FILE || !k->made ? 0 : k->ops->wipe(c, &k->p, e);
}

static int step_mount(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;
	int r = pool_attach_now(c, &k->p, e);

	if (r < 0)
		return r;
	k->fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return k->fd < 0 ? err_sys(e, errno, "%s", c->node.pool) : 0;
}

static int undo_mount(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;

	own_fd(&k->fd);
	return pool_detach_now(c, &k->p, e);
}

static int step_quota(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;

	return k->ops->setup(c, &k->p, k->fd, e);
}

static int step_layout(struct ctx *c, void *op, struct err *e)
{
	static const char *const dirs[] = {STORE_META, STORE_TMP, "images", "images/.warm"};
	struct pool_create *k = op;
	struct store s = {.fd = k->fd, .ops = k->ops};
	int r;

	/* Others may pass through (a zone's mounts are made below it), not look. */
	if (fchown(k->fd, 0, 0) < 0 || fchmod(k->fd, 0711) < 0)
		return err_sys(e, errno, "%s", c->node.pool);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(k->fd, dirs[i], 0700) < 0 && errno != EEXIST)
			return err_sys(e, errno, "%s/%s", c->node.pool, dirs[i]);
	r = reserve_make(&s);
	return r < 0 ? err_sys(e, r, "the pool's reserve") : 0;
}

static int step_online(struct ctx *c, void *op, struct err *e)
{
	struct pool_create *k = op;
	int r;

	k->p.state = POOL_ONLINE;
	r = pool_conf_save(c, &k->p, k->fd, e);
	if (r < 0)
		k->p.state = POOL_CREATING;
	return r;
}

static const struct step create_steps[] = {
	{"pool-conf", step_conf, undo_conf},       {"pool-file", step_file, undo_file}, {"pool-format", step_format, undo_format},
	{"pool-mount", step_mount, undo_mount},    {"pool-quota", step_quota, NULL},    {"pool-layout", step_layout, NULL},
	{"pool-online", step_online, NULL},
};

int pool_create(struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	struct pool_create k = {.fd = -1};
	struct pool_conf old;
	_fd_ int lock = pool_lock(c, e);
	int r;

	if (lock < 0)
		return lock;
	r = pool_conf_load(c, &old, e);
	if (r == 0 && old.state == POOL_ONLINE) {
		err_set(e, EEXIST, "this node has a pool on %s", old.ndevs ? old.dev[0] : "?");
		err_hint(e, "cloister pool status shows it");
		return -EEXIST;
	}
	if (r == 0)
		r = pool_clear(c, &old, e);
	else if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = pool_plan(&k, c, sp, e);
	if (r == 0)
		r = steps_run(c, "pool create", create_steps, ARRAY_LEN(create_steps), &k, e);
	own_fd(&k.fd);
	return r < 0 ? err_add(e, "create pool") : 0;
}
