/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The btrfs driver's datasets and quotas. A zone's limit stands on a level-1 group of which all its subvolumes are
 * members from the moment they are made. (With the limit on the root's own group a zone made a nested subvolume and
 * wrote past it.) Simple quotas put nested subvolumes into their parent's groups by themselves; full ones don't, and
 * there the zone's system call filter, which refuses the making of subvolumes, is what holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs_tree.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/btrfs.h"
#include "store/btrfs.h"

/* Numbers of our groups: id ranges begin at 0x10000000. Others on the file system (snapper has 1/0) are not touched. */
#define ZONE_FIRST 0x1000
#define ZONE_LAST  0xffff

static int is_dataset(struct store *s, int dirfd, const char *leaf)
{
	struct stat st;

	return fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_ino == BTRFS_SUBVOL_INO;
}

/* A kernel that does not know the group ignores it silently: so make it first and look afterwards. */
static int joined(struct store *s, const struct store_at *at, uint64_t quota)
{
	_fd_ int fd = store_dir_open(at->dirfd, at->leaf);
	uint64_t id;
	int r;

	if (fd < 0)
		return fd;
	r = btrfs_subvol_id(fd, &id);
	if (r == 0)
		r = btrfs_group_member(s->fd, id, quota);
	if (r > 0)
		return 0;
	btrfs_subvol_delete(s->fd, fd);
	return r < 0 ? r : -EIO;
}

/*
 * store_recover() of another process may take an empty group away between the making of the group and of its first
 * member: then once more.
 */
static int create(struct store *s, const struct store_at *at, uint64_t quota)
{
	int r = -EIO;

	for (int tries = 0; tries < 2 && r == -EIO; tries++) {
		r = quota ? btrfs_group_make(s->fd, quota) : 0;
		if (r == 0)
			r = btrfs_subvol_create(at->dirfd, at->leaf, quota);
		if (r == 0 && quota)
			r = joined(s, at, quota);
	}
	return r;
}

/*
 * To full quotas a snapshot that joins a group makes all numbers uncertain, and the kernel holds no limit at all until
 * they are counted again.
 */
static int snapshot(struct store *s, int src, const struct store_at *at, bool ro, uint64_t quota)
{
	int r = -EIO;

	for (int tries = 0; tries < 2 && r == -EIO; tries++) {
		r = quota ? btrfs_group_make(s->fd, quota) : 0;
		if (r == 0)
			r = btrfs_subvol_snapshot(src, at->dirfd, at->leaf, ro, quota);
		if (r == 0 && quota)
			r = joined(s, at, quota);
	}
	if (r == 0 && quota && (s->caps & STORE_QGROUP))
		r = btrfs_quota_rescan(s->fd);
	return r;
}

static int destroy(struct store *s, int fd)
{
	return btrfs_subvol_delete(s->fd, fd);
}

static int readonly(struct store *s, int fd, bool ro)
{
	return btrfs_subvol_set_ro(fd, ro);
}

static int sync_pool(struct store *s)
{
	return btrfs_commit(s->fd);
}

static int any_item(const struct btrfs_item *it, void *arg)
{
	return 1;
}

/* The cleaner takes its item away last. */
static int gone(struct store *s, uint64_t id)
{
	int r = btrfs_search(s->fd, BTRFS_ROOT_TREE_OBJECTID, id, id, BTRFS_ROOT_ITEM_KEY, BTRFS_ROOT_ITEM_KEY, any_item, NULL);

	return r < 0 ? r : r == 0;
}

/* ---- quota ---- */

static int quota_set(struct store *s, uint64_t id, uint64_t bytes, struct err *e)
{
	uint64_t limit = 0;
	int r = btrfs_group_make(s->fd, id);

	if (r == 0)
		r = btrfs_group_limit(s->fd, id, bytes);
	if (r == 0)
		r = btrfs_group_get(s->fd, id, &limit, NULL);
	if (r < 0)
		return err_sys(e, r, "quota of %llu bytes", (unsigned long long)bytes);
	if (limit != bytes)
		return err_set(e, EIO, "quota of %llu bytes: the kernel holds %llu", (unsigned long long)bytes,
			       (unsigned long long)limit);
	return 0;
}

static int quota_get(struct store *s, uint64_t id, uint64_t *limit, uint64_t *used)
{
	return btrfs_group_get(s->fd, id, limit, used);
}

struct ids {
	uint64_t *v;
	size_t n, cap;
};

static int ids_add(uint64_t id, void *arg)
{
	struct ids *s = arg;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = id;
	return 0;
}

static int quota_drop(struct store *s, uint64_t id)
{
	struct ids m = {.v = NULL};
	int r = btrfs_group_limit(s->fd, id, 0);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = btrfs_group_members(s->fd, id, ids_add, &m);
	for (size_t i = 0; r >= 0 && i < m.n; i++)
		r = btrfs_group_leave(s->fd, m.v[i], id);
	free(m.v);
	return r < 0 ? r : btrfs_group_remove(s->fd, id);
}

static int join_once(struct store *s, uint64_t sub, uint64_t id)
{
	int r = btrfs_group_make(s->fd, id), in;

	if (r == 0)
		r = btrfs_group_join(s->fd, sub, id);
	in = r < 0 ? r : btrfs_group_member(s->fd, sub, id);
	return in < 0 ? in : in ? r : -EIO;
}

/* As create(): the group may be taken away while it is empty. */
static int join_one(struct store *s, uint64_t sub, uint64_t id)
{
	int r = join_once(s, sub, id);

	return r == -EIO || r == -ENOENT || r == -EINVAL ? join_once(s, sub, id) : r;
}

static int quota_join(struct store *s, int fd, uint64_t id)
{
	struct ids m = {.v = NULL};
	int r = btrfs_subvol_nested(s->fd, fd, ids_add, &m), recount = 0;

	for (size_t i = 0; r >= 0 && i < m.n; i++) {
		r = join_one(s, m.v[i], id);
		recount |= r;
	}
	free(m.v);
	return r < 0 ? r : recount;
}

static int quota_recount(struct store *s)
{
	return s->caps & STORE_SQUOTA ? 0 : btrfs_quota_rescan(s->fd);
}

/* ---- groups that nothing belongs to ---- */

static int group_one(const struct btrfs_item *it, void *arg)
{
	return ids_add(it->offset, arg);
}

static int any_member(uint64_t id, void *arg)
{
	return 1;
}

static int quota_recover(struct store *s)
{
	struct ids g = {.v = NULL};
	uint64_t top;
	int r = btrfs_subvol_id(s->fd, &top);

	if (r == 0)
		r = btrfs_search(s->fd, BTRFS_QUOTA_TREE_OBJECTID, 0, 0, BTRFS_QGROUP_INFO_KEY, BTRFS_QGROUP_INFO_KEY, group_one, &g);
	for (size_t i = 0; r >= 0 && i < g.n; i++) {
		uint64_t id = g.v[i] & 0xffffffffffffULL;

		if (g.v[i] >> 48 == 1) {
			/* A VM that is being made has its limit set when its root is in the group, and finds it gone before. */
			if (id >= ZONE_FIRST && id <= ZONE_LAST && btrfs_group_members(s->fd, g.v[i], any_member, NULL) == 0)
				btrfs_group_remove(s->fd, g.v[i]);
		} else if (g.v[i] >> 48 == 0 && id >= 256 && top == BTRFS_FS_TREE_OBJECTID) {
			/* of a deleted subvolume: newer kernels do it themselves. In use still: the kernel says EBUSY. */
			if (gone(s, id) == 1)
				btrfs_group_remove(s->fd, g.v[i]);
		}
	}
	free(g.v);
	return r == -ENOENT ? 0 : r < 0 ? r : 0;
}

struct leave {
	struct store *s;
	uint64_t sub, keep;
	int recount;
};

static int leave_one(uint64_t group, void *arg)
{
	struct leave *l = arg;
	int r;

	if (group == l->keep || group < BTRFS_GROUP(1, ZONE_FIRST) || group > BTRFS_GROUP(1, ZONE_LAST))
		return 0;
	r = btrfs_group_leave(l->s->fd, l->sub, group);
	l->recount |= r > 0;
	return r < 0 ? r : 0;
}

static int quota_leave(struct store *s, int fd, uint64_t keep)
{
	struct ids m = {.v = NULL};
	struct leave l = {.s = s, .keep = keep};
	int r = btrfs_subvol_nested(s->fd, fd, ids_add, &m);

	for (size_t i = 0; r >= 0 && i < m.n; i++) {
		l.sub = m.v[i];
		r = btrfs_group_parents(s->fd, l.sub, leave_one, &l);
	}
	free(m.v);
	return r < 0 ? r : l.recount;
}

const struct store_ops store_btrfs = {
	.name = "btrfs",
	.format = pool_btrfs_format,
	.mount = pool_btrfs_mount,
	.setup = pool_btrfs_setup,
	.wipe = pool_btrfs_wipe,
	.check = pool_btrfs_check,
	.busy = btrfs_mounted,
	.status = pool_btrfs_status,
	.caps = pool_btrfs_caps,
	.find = pool_btrfs_find,
	.grow = pool_btrfs_grow,
	.dev_add = pool_btrfs_add,
	.dev_remove = pool_btrfs_remove,
	.dev_replace = pool_btrfs_replace,
	.scrub = pool_btrfs_scrub,
	.create = create,
	.snapshot = snapshot,
	.destroy = destroy,
	.readonly = readonly,
	.is_dataset = is_dataset,
	.created = btrfs_subvol_created,
	.set_created = btrfs_subvol_set_created,
	.sync = sync_pool,
	.ident = btrfs_subvol_id,
	.gone = gone,
	.quota_set = quota_set,
	.quota_get = quota_get,
	.quota_drop = quota_drop,
	.quota_join = quota_join,
	.quota_recount = quota_recount,
	.quota_leave = quota_leave,
	.quota_recover = quota_recover,
};
