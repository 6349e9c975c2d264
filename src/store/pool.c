/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The pool's life: create, attach, detach, destroy. pool.conf is written first and its state says how far it got, so
 * that what a kill leaves is cleared by the next create or destroy.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "kern/btrfs.h"
#include "store/pool.h"

#define GIB           (1ULL << 30)
#define FILE_MIN      (256ULL << 20) /* asked for by number: btrfs works from here on */
#define DEFAULT_MIN   (2 * GIB)
#define DEFAULT_MAX   (20 * GIB)

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

static int attach(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	int r = dir_make(c->node.pool, 0700, e);

	if (r < 0)
		return r;
	return store_driver(p->driver)->mount(c, p, e);
}

static int detach(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	const struct store_ops *ops = store_driver(p->driver);

	while (pool_is_attached(c, p, p->state == POOL_ONLINE)) {
		if (umount2(c->node.pool, UMOUNT_NOFOLLOW) < 0) {
			int code = errno;

			err_sys(e, code, "unmount %s", c->node.pool);
			if (code == EBUSY)
				err_hint(e, "something works below %s: stop the VMs, leave the folder", c->node.pool);
			return -code;
		}
	}
	if (p->kind != POOL_FOLDER && ops->busy(p->fsid)) {
		/* gone here, but alive in the mount namespace of a zone: nothing may be taken from under it */
		attach(c, p, NULL);
		err_set(e, EBUSY, "the pool is still in use by a zone");
		err_hint(e, "stop the VMs first");
		return -EBUSY;
	}
	return 0;
}

/* ---- create ---- */

struct create {
	struct pool_conf p;
	const struct store_ops *ops;
	bool force, made; /* made: the file or folder is ours */
	int fd;
};

static int free_room(const char *dir, uint64_t *avail, struct err *e)
{
	_free_ char *d = xstrdup(dir);
	struct statvfs v;

	while (statvfs(d, &v) < 0) { /* the nearest parent that exists */
		char *slash = strrchr(d, '/');

		if (errno != ENOENT || !slash)
			return err_sys(e, errno, "%s", d);
		slash[slash == d] = 0;
	}
	*avail = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static int default_size(const char *dir, uint64_t *bytes, struct err *e)
{
	uint64_t avail = 0, want;
	char text[16];
	int r = free_room(dir, &avail, e);

	if (r < 0)
		return r;
	want = avail / 4 < DEFAULT_MAX ? avail / 4 : DEFAULT_MAX;
	if (want < DEFAULT_MIN)
		want = DEFAULT_MIN;
	if (want + GIB / 2 > avail) {
		err_set(e, ENOSPC, "%s: %s are free, a pool takes at least 2 GiB and leaves half a GiB", dir, str_from_bytes(avail, text));
		err_hint(e, "give it a device (cloister pool create /dev/…) or a smaller size (-s)");
		return -ENOSPC;
	}
	*bytes = want & ~((1ULL << 20) - 1);
	return 0;
}

int pool_default_size(const struct ctx *c, uint64_t *bytes, struct err *e)
{
	return default_size(c->node.state, bytes, e);
}

static int step_conf(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;

	return pool_conf_save(c, &k->p, -1, e);
}

static int undo_conf(struct ctx *c, void *op, struct err *e)
{
	return pool_conf_remove(c, e);
}

static int step_file(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;
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
	struct create *k = op;

	if (k->p.kind == POOL_FILE && k->made && unlink(k->p.dev[0]) < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s", k->p.dev[0]);
	return 0;
}

static int step_format(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;
	int r = k->ops->format(c, &k->p, k->force, e);

	if (r == 0)
		k->made = true;
	return r;
}

static int undo_format(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;

	return k->p.kind == POOL_FILE || !k->made ? 0 : k->ops->wipe(c, &k->p, e);
}

static int step_mount(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;
	int r = attach(c, &k->p, e);

	if (r < 0)
		return r;
	k->fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return k->fd < 0 ? err_sys(e, errno, "%s", c->node.pool) : 0;
}

static int undo_mount(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;

	own_fd(&k->fd);
	return detach(c, &k->p, e);
}

static int step_quota(struct ctx *c, void *op, struct err *e)
{
	struct create *k = op;

	return k->ops->setup(c, &k->p, k->fd, e);
}

static int step_layout(struct ctx *c, void *op, struct err *e)
{
	static const char *const dirs[] = {STORE_META, STORE_TMP, "images", "images/.warm"};
	struct create *k = op;
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
	struct create *k = op;
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

/* What a killed create or destroy left. */
int pool_clear(struct ctx *c, struct pool_conf *p, struct err *e)
{
	int r = detach(c, p, e);

	if (r == 0)
		r = store_driver(p->driver)->wipe(c, p, e);
	if (r == 0)
		r = pool_conf_remove(c, e);
	if (r == 0 && rmdir(c->node.pool) < 0 && errno != ENOENT)
		ctx_log(c, LOG_DEBUG, "pool: %s stays: %s", c->node.pool, err_name(errno));
	return r < 0 ? err_add(e, "clear the pool") : 0;
}

static int absolute(const char *path, char out[256], struct err *e)
{
	_free_ char *full = NULL;

	if (*path == '/') {
		if (strlen(path) < 256) {
			strcpy(out, path);
			return 0;
		}
	} else {
		_free_ char *cwd = realpath(".", NULL);

		full = cwd ? xprintf("%s/%s", cwd, path) : NULL;
		if (full && strlen(full) < 256) {
			strcpy(out, full);
			return 0;
		}
	}
	return err_set(e, ENAMETOOLONG, "%.60s…: too long a path for a pool", path);
}

int pool_block_device(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "%s", path);
	return S_ISBLK(st.st_mode) ? 0 : err_sys(e, ENOTBLK, "%s", path);
}

static int plan_folder(struct create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	char mnt[256];
	struct btrfs_fs fs;
	_fd_ int fd = -1;
	int named, r = absolute(sp->mount, mnt, e);

	if (r < 0)
		return r;
	fd = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : btrfs_fs_info(fd, &fs);
	if (r == -ENOTTY)
		return err_set(e, EINVAL, "%s is not on btrfs", mnt);
	if (r < 0)
		return err_sys(e, r, "%s", mnt);
	strcpy(k->p.fsid, fs.fsid);
	named = strcmp(c->node.name, "default");
	r = snprintf(k->p.dev[0], sizeof k->p.dev[0], "%s/cloister%s%s", strcmp(mnt, "/") ? mnt : "", named ? "-" : "",
		     named ? c->node.name : "");
	if (r >= (int)sizeof k->p.dev[0])
		return err_sys(e, ENAMETOOLONG, "%s", mnt);
	k->p.ndevs = 1;
	if (access(k->p.dev[0], F_OK) == 0) {
		err_sys(e, EEXIST, "%s", k->p.dev[0]);
		err_hint(e, "if it is a pool: cloister pool import %s", k->p.dev[0]);
		return -EEXIST;
	}
	return 0;
}

static int plan_file(struct create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	_free_ char *dir = NULL;
	uint64_t avail = 0;
	char text[16];
	int r;

	if (sp->file)
		r = absolute(sp->file, k->p.dev[0], e);
	else
		r = snprintf(k->p.dev[0], sizeof k->p.dev[0], "%s/pool.img", c->node.state) < 0 ? -EINVAL : 0;
	if (r < 0)
		return r;
	k->p.ndevs = 1;
	if (access(k->p.dev[0], F_OK) == 0) {
		err_sys(e, EEXIST, "%s", k->p.dev[0]);
		err_hint(e, "if it is a pool: cloister pool import %s", k->p.dev[0]);
		return -EEXIST;
	}
	dir = strndup(k->p.dev[0], (size_t)(strrchr(k->p.dev[0], '/') - k->p.dev[0]));
	k->p.size = sp->size;
	if (!k->p.size)
		r = default_size(*dir ? dir : "/", &k->p.size, e);
	else if (k->p.size < FILE_MIN)
		r = err_set(e, EINVAL, "a pool file takes at least %llu MiB", FILE_MIN >> 20);
	k->p.size &= ~4095ULL;
	if (r == 0)
		r = free_room(*dir ? dir : "/", &avail, e);
	if (r == 0 && k->p.size > avail) {
		err_set(e, ENOSPC, "%s: %s are free", *dir ? dir : "/", str_from_bytes(avail, text));
		err_hint(e, "choose a smaller size (-s), or a device");
		r = -ENOSPC;
	}
	return r;
}

static int plan(struct create *k, struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	int r;

	k->p.state = POOL_CREATING;
	strcpy(k->p.driver, "btrfs");
	strcpy(k->p.node, c->node.name);
	uuid_make(k->p.fsid);
	k->ops = store_driver(k->p.driver);
	k->force = sp->force;
	if (sp->quota && strcmp(sp->quota, "simple") && strcmp(sp->quota, "full"))
		return err_set(e, EINVAL, "quota \"%s\": simple or full", sp->quota);
	snprintf(k->p.quota, sizeof k->p.quota, "%s", sp->quota ? sp->quota : "");
	if (!!sp->file + !!sp->ndevs + !!sp->mount > 1)
		return err_set(e, EINVAL, "a pool is on a file, on devices, or in a folder: one of them");
	if (sp->mirror && sp->ndevs < 2)
		return err_set(e, EINVAL, "a mirror takes at least two devices");
	if (sp->mount) {
		k->p.kind = POOL_FOLDER;
		return plan_folder(k, c, sp, e);
	}
	if (!sp->ndevs) {
		k->p.kind = POOL_FILE;
		return plan_file(k, c, sp, e);
	}
	k->p.kind = POOL_DEVICES;
	k->p.mirror = sp->mirror;
	if (sp->ndevs > POOL_DEVS_MAX)
		return err_set(e, E2BIG, "at most %d devices", POOL_DEVS_MAX);
	for (size_t i = 0; i < sp->ndevs; i++) {
		r = absolute(sp->devs[i], k->p.dev[i], e);
		if (r == 0)
			r = pool_block_device(k->p.dev[i], e);
		if (r < 0)
			return r;
		k->p.ndevs++;
	}
	return 0;
}

int pool_create(struct ctx *c, const struct pool_spec *sp, struct err *e)
{
	struct create k = {.fd = -1};
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
		r = plan(&k, c, sp, e);
	if (r == 0)
		r = steps_run(c, "pool create", create_steps, ARRAY_LEN(create_steps), &k, e);
	own_fd(&k.fd);
	return r < 0 ? err_add(e, "create pool") : 0;
}

/* ---- attach, detach, destroy ---- */

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
		r = attach(c, &p, e);
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

int pool_detach(struct ctx *c, struct err *e)
{
	struct pool_conf p;
	_fd_ int lock = pool_lock(c, e);
	int r;

	if (lock < 0)
		return lock;
	r = pool_conf_load(c, &p, e);
	if (r == -ENOENT)
		return 0;
	if (r == 0 && !store_driver(p.driver))
		r = err_set(e, ENOTSUP, "pool.conf: driver \"%s\" is not known", p.driver);
	return r < 0 ? r : detach(c, &p, e);
}

int pool_destroy(struct ctx *c, struct err *e)
{
	struct pool_conf p;
	_fd_ int lock = pool_lock(c, e);
	int r;

	if (lock < 0)
		return lock;
	r = pool_conf_load(c, &p, e);
	if (r == -ENOENT)
		return err_set(e, ENODEV, "this node has no pool");
	if (r == 0 && !store_driver(p.driver))
		r = err_set(e, ENOTSUP, "pool.conf: driver \"%s\" is not known", p.driver);
	/* unmounted while the state still says online: when that is refused, nothing has changed */
	if (r == 0)
		r = detach(c, &p, e);
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
