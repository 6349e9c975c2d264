/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Datasets by name. Opening costs one small file, one open and one ioctl: every command does it. Names are checked
 * here and opened below the pool's descriptor without following a link, for what is inside a zone is hostile.
 */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/steps.h"
#include "base/own.h"
#include "store/ops.h"

const struct store_ops *store_driver(const char *name)
{
	static const struct store_ops *const all[] = {&store_btrfs};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

int store_open(struct ctx *c, struct store **out, struct err *e)
{
	struct pool_conf p;
	struct err le = ERR_INIT;
	struct store *s;
	_fd_ int fd = -1;
	int r = pool_conf_load(c, &p, &le);

	if (r == -ENOENT || r == -ENOTDIR) {
		err_set(e, ENODEV, "this node has no pool");
		err_hint(e, "cloister pool create makes one; cloister pool import takes one that exists");
		return -ENODEV;
	}
	if (r < 0) {
		if (e)
			*e = le;
		return r;
	}
	if (p.state != POOL_ONLINE) {
		err_set(e, ENODEV, "the pool is half %s", p.state == POOL_CREATING ? "made" : "destroyed");
		err_hint(e, "run cloister pool %s again", p.state == POOL_CREATING ? "create" : "destroy");
		return -ENODEV;
	}
	if (!store_driver(p.driver))
		return err_set(e, ENOTSUP, "pool.conf: driver \"%s\" is not known", p.driver);
	fd = open(c->node.pool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || store_driver(p.driver)->check(fd, p.fsid) != 1 || faccessat(fd, STORE_META "/pool.conf", F_OK, 0) < 0) {
		err_set(e, ENODEV, "the pool is not attached at %s", c->node.pool);
		err_hint(e, "cloister pool import attaches it (it was on %s)", p.ndevs ? p.dev[0] : "?");
		return -ENODEV;
	}
	s = xalloc(sizeof *s);
	s->ops = store_driver(p.driver);
	s->caps = s->ops->caps(&p);
	snprintf(s->fsid, sizeof s->fsid, "%s", p.fsid);
	s->fd = take_fd(&fd);
	*out = s;
	return 0;
}

void store_close(struct store **sp)
{
	if (!sp || !*sp)
		return;
	close((*sp)->fd);
	free(*sp);
	*sp = NULL;
}

int store_fd(const struct store *s)
{
	return s->fd;
}

unsigned store_caps(const struct store *s)
{
	return s->caps;
}

/* ---- names ---- */

int store_dir_open(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);

	return fd < 0 ? -errno : fd;
}

static int name_check(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n == 0 || n >= 1024 || name[0] == '/' || name[n - 1] == '/' || strstr(name, "//"))
		return err_set(e, EINVAL, "\"%.100s\" is not the name of a dataset", name);
	for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		size_t l = strcspn(p, "/");

		if (l > 255 || (l == 1 && p[0] == '.') || (l == 2 && p[0] == '.' && p[1] == '.'))
			return err_set(e, EINVAL, "\"%.100s\" is not the name of a dataset", name);
	}
	return 0;
}

static int make_dirs(int fd, const char *dir)
{
	_free_ char *p = xstrdup(dir);

	for (char *q = p;; q++) {
		char c = *q;

		if (c && c != '/')
			continue;
		*q = 0;
		if (mkdirat(fd, p, 0700) < 0 && errno != EEXIST)
			return -errno;
		*q = c;
		if (!c)
			return 0;
	}
}

int store_at_open(const struct store *s, const char *name, bool make, struct store_at *at, struct err *e)
{
	const char *slash;
	_free_ char *dir = NULL;
	int r = name_check(name, e);

	if (r < 0)
		return r;
	slash = strrchr(name, '/');
	snprintf(at->leaf, sizeof at->leaf, "%s", slash ? slash + 1 : name);
	dir = slash ? strndup(name, (size_t)(slash - name)) : xstrdup(".");
	if (!dir)
		return -ENOMEM;
	at->dirfd = store_dir_open(s->fd, dir);
	if (at->dirfd == -ENOENT && make) {
		r = make_dirs(s->fd, dir);
		at->dirfd = r < 0 ? r : store_dir_open(s->fd, dir);
	}
	return at->dirfd < 0 ? err_sys(e, at->dirfd, "dataset %s", name) : 0;
}

#define _at_ __attribute__((cleanup(at_done)))
#define AT_INIT ((struct store_at){.dirfd = -1})
static void at_done(struct store_at *at)
{
	if (at->dirfd >= 0)
		close(at->dirfd);
}

static int open_dataset(struct store *s, const char *name, struct err *e)
{
	_at_ struct store_at at = AT_INIT;
	int fd, r = store_at_open(s, name, false, &at, e);

	if (r < 0)
		return r;
	if (!s->ops->is_dataset(s, at.dirfd, at.leaf))
		return err_sys(e, faccessat(at.dirfd, at.leaf, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? ENOENT : ENOTTY, "dataset %s", name);
	fd = store_dir_open(at.dirfd, at.leaf);
	return fd < 0 ? err_sys(e, fd, "dataset %s", name) : fd;
}

/* ---- datasets ---- */

/* On a full pool: give up the reserve once, and try again. */
static bool again(const struct store *s, int r)
{
	return r == -ENOSPC && reserve_release(s) == 1;
}

int store_create(struct store *s, const char *name, uint64_t quota_id, struct err *e)
{
	_at_ struct store_at at = AT_INIT;
	_fd_ int fd = -1;
	int r = store_at_open(s, name, true, &at, e);

	if (r == -ENOSPC && again(s, r))
		r = store_at_open(s, name, true, &at, e);
	if (r < 0)
		return r;
	r = s->ops->create(s, &at, quota_id);
	if (again(s, r))
		r = s->ops->create(s, &at, quota_id);
	if (r < 0)
		return err_sys(e, r, "create dataset %s", name);
	fd = store_dir_open(at.dirfd, at.leaf);
	if (fd < 0 || fchmod(fd, 0755) < 0) /* whatever the umask is */
		return err_sys(e, fd < 0 ? fd : errno, "dataset %s", name);
	return 0;
}

int store_snapshot(struct store *s, const char *src, const char *dst, bool ro, uint64_t quota_id, struct err *e)
{
	_at_ struct store_at at = AT_INIT;
	_fd_ int fd = -1;
	int r;

	fd = open_dataset(s, src, e);
	if (fd < 0)
		return err_add(e, "snapshot");
	r = store_at_open(s, dst, true, &at, e);
	if (r == -ENOSPC && again(s, r))
		r = store_at_open(s, dst, true, &at, e);
	if (r < 0)
		return r;
	r = s->ops->snapshot(s, fd, &at, ro, quota_id);
	if (again(s, r))
		r = s->ops->snapshot(s, fd, &at, ro, quota_id);
	return r < 0 ? err_sys(e, r, "snapshot of %s as %s", src, dst) : 0;
}

int store_destroy(struct store *s, const char *name, struct err *e)
{
	_fd_ int fd = -1;
	struct err le = ERR_INIT;
	int r;

	fd = open_dataset(s, name, &le);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		if (e)
			*e = le;
		return fd;
	}
	r = s->ops->destroy(s, fd);
	if (again(s, r))
		r = s->ops->destroy(s, fd);
	if (r < 0)
		return err_sys(e, r, "destroy dataset %s", name);
	reserve_make(s); /* if it had been given up; the next one tries again */
	return 0;
}

static int exchange(struct store *s, const char *a, const char *b, unsigned flags, struct err *e)
{
	_at_ struct store_at x = AT_INIT, y = AT_INIT;
	int r = store_at_open(s, a, false, &x, e);

	if (r == 0)
		r = store_at_open(s, b, !(flags & RENAME_EXCHANGE), &y, e);
	if (r < 0)
		return r;
	r = renameat2(x.dirfd, x.leaf, y.dirfd, y.leaf, flags) < 0 ? -errno : 0;
	if (again(s, r))
		r = renameat2(x.dirfd, x.leaf, y.dirfd, y.leaf, flags) < 0 ? -errno : 0;
	return r < 0 ? err_sys(e, r, "rename %s to %s", a, b) : 0;
}

int store_rename(struct store *s, const char *from, const char *to, struct err *e)
{
	return exchange(s, from, to, RENAME_NOREPLACE, e);
}

int store_rollback(struct store *s, const char *snap, const char *name, uint64_t quota_id, struct err *e)
{
	char tmp[STORE_TMP_NAME];
	int r;

	if (!store_exists(s, name)) { /* lost, or a kill between the two steps of an older version: put it back all the same */
		r = store_snapshot(s, snap, name, false, quota_id, e);
		return r < 0 ? err_add(e, "rollback of %s", name) : 0;
	}
	r = store_snapshot(s, snap, store_tmp_name(s, "rollback", tmp), false, quota_id, e);
	if (r == 0)
		r = failpoint("rollback-exchange", e);
	if (r == 0)
		r = exchange(s, tmp, name, RENAME_EXCHANGE, e);
	if (r < 0) {
		store_destroy(s, tmp, NULL);
		return err_add(e, "rollback of %s", name);
	}
	r = failpoint("rollback-destroy", e);
	/* The rollback is done. What can't be removed now is cleared by store_recover(). */
	store_reclaim(s, tmp, quota_id, NULL);
	return r;
}

int store_readonly(struct store *s, const char *name, bool ro, struct err *e)
{
	_fd_ int fd = open_dataset(s, name, e);
	int r;

	if (fd < 0)
		return fd;
	r = s->ops->readonly(s, fd, ro);
	return r < 0 ? err_sys(e, r, "dataset %s: make %s", name, ro ? "read-only" : "writable") : 0;
}

int store_set_created(struct store *s, const char *name, uint64_t wall_ns, struct err *e)
{
	_fd_ int fd = open_dataset(s, name, e);
	int r;

	if (fd < 0)
		return fd;
	r = s->ops->set_created(fd, wall_ns);
	return r < 0 ? err_sys(e, r, "dataset %s: when it was made", name) : 0;
}

bool store_exists(struct store *s, const char *name)
{
	_at_ struct store_at at = AT_INIT;

	return store_at_open(s, name, false, &at, NULL) == 0 && s->ops->is_dataset(s, at.dirfd, at.leaf) == 1;
}

int store_each(struct store *s, const char *dir, int (*each)(const char *name, uint64_t created_ns, void *arg), void *arg, struct err *e)
{
	_dir_ DIR *d = NULL;
	int fd = store_dir_open(s->fd, *dir ? dir : "."), r = 0;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, fd, "datasets in %s", dir);
	d = dir_of(fd);
	if (!d)
		return err_sys(e, errno, "datasets in %s", dir);
	for (struct dirent *de; r >= 0 && (de = readdir(d));) {
		_fd_ int sub = -1;
		uint64_t t = 0;

		if (de->d_name[0] == '.' || s->ops->is_dataset(s, fd, de->d_name) != 1)
			continue;
		sub = store_dir_open(fd, de->d_name);
		if (sub >= 0)
			s->ops->created(sub, &t);
		r = each(de->d_name, t, arg);
	}
	return r < 0 ? r : 0;
}

int store_make_room(struct store *s, struct err *e)
{
	int r = reserve_release(s);

	return r < 0 ? err_sys(e, r, "pool: give up the reserve") : r;
}

int store_sync(struct store *s, struct err *e)
{
	int r = s->ops->sync(s);

	return r < 0 ? err_sys(e, r, "pool: sync") : 0;
}

/* ---- quota ---- */

uint64_t store_quota_id(const struct store *s, uint32_t id_base)
{
	return (uint64_t)1 << 48 | id_base >> 16; /* a level-1 group of btrfs; other drivers take the low part */
}

int store_quota_set(struct store *s, uint64_t quota_id, uint64_t bytes, struct err *e)
{
	return s->ops->quota_set(s, quota_id, bytes, e);
}

int store_quota_get(struct store *s, uint64_t quota_id, uint64_t *limit, uint64_t *used, struct err *e)
{
	int r = s->ops->quota_get(s, quota_id, limit, used);

	return r < 0 ? err_sys(e, r, "quota of group %llu", (unsigned long long)(quota_id & 0xffffffff)) : 0;
}

int store_quota_drop(struct store *s, uint64_t quota_id, struct err *e)
{
	int r = s->ops->quota_drop(s, quota_id);

	return r < 0 ? err_sys(e, r, "remove quota of group %llu", (unsigned long long)(quota_id & 0xffffffff)) : 0;
}

int store_quota_join(struct store *s, const char *name, uint64_t quota_id, struct err *e)
{
	_fd_ int fd = open_dataset(s, name, e);
	int r;

	if (fd < 0)
		return fd;
	r = s->ops->quota_join(s, fd, quota_id);
	return r < 0 ? err_sys(e, r, "dataset %s: join quota group %llu", name, (unsigned long long)(quota_id & 0xffffffff)) : r;
}

int store_quota_recount(struct store *s, struct err *e)
{
	int r = s->ops->quota_recount(s);

	return r < 0 ? err_sys(e, r, "pool: count the quotas again") : 0;
}

int store_quota_leave(struct store *s, const char *name, uint64_t keep, struct err *e)
{
	_fd_ int fd = open_dataset(s, name, e);
	int r;

	if (fd < 0)
		return fd;
	r = s->ops->quota_leave(s, fd, keep);
	return r < 0 ? err_sys(e, r, "dataset %s: leave the quota groups of others", name) : r;
}
