/* SPDX-License-Identifier: MPL-2.0 */
/* Quota groups. Limits stand on level-1 groups; see store/btrfs_quota.c for why. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/btrfs.h"

#define QUOTA_CTL_ENABLE_SIMPLE 4            /* BTRFS_QUOTA_CTL_ENABLE_SIMPLE_QUOTA of Linux 6.7 */
#define QUOTA_STATUS_SIMPLE     (1ULL << 3)  /* BTRFS_QGROUP_STATUS_FLAG_SIMPLE_MODE */

static int status_one(const struct btrfs_item *it, void *arg)
{
	const struct btrfs_qgroup_status_item *s = it->data;

	if (it->len >= sizeof *s)
		*(uint64_t *)arg = le64toh(s->flags);
	return 1;
}

int btrfs_quota_mode(int fd)
{
	uint64_t flags = 0;
	int r = btrfs_search(fd, BTRFS_QUOTA_TREE_OBJECTID, 0, 0, BTRFS_QGROUP_STATUS_KEY, BTRFS_QGROUP_STATUS_KEY, status_one,
			     &flags);

	if (r == -ENOENT || r == 0 || (r > 0 && !(flags & BTRFS_QGROUP_STATUS_FLAG_ON)))
		return BTRFS_QUOTA_OFF;
	if (r < 0)
		return r;
	return flags & QUOTA_STATUS_SIMPLE ? BTRFS_QUOTA_SIMPLE : BTRFS_QUOTA_FULL;
}

int btrfs_quota_enable(int fd, enum btrfs_quota mode)
{
	struct btrfs_ioctl_quota_ctl_args a = {
		.cmd = mode == BTRFS_QUOTA_SIMPLE ? QUOTA_CTL_ENABLE_SIMPLE : BTRFS_QUOTA_CTL_ENABLE,
	};

	return ioctl(fd, BTRFS_IOC_QUOTA_CTL, &a) < 0 ? -errno : 0;
}

int btrfs_quota_wait(int fd)
{
	return ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_WAIT) < 0 ? -errno : 0;
}

int btrfs_quota_rescan(int fd)
{
	struct btrfs_ioctl_quota_rescan_args a = {0};

	/* one that is under way began before what is to be counted, and may have been given up for it: another after it */
	for (int tries = 0; ioctl(fd, BTRFS_IOC_QUOTA_RESCAN, &a) < 0; tries++) {
		int r = errno == EINPROGRESS && tries < 100 ? btrfs_quota_wait(fd) : -errno;

		if (r < 0)
			return r;
	}
	return btrfs_quota_wait(fd);
}

int btrfs_group_make(int fd, uint64_t group)
{
	struct btrfs_ioctl_qgroup_create_args a = {.create = 1, .qgroupid = group};

	return ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &a) < 0 && errno != EEXIST ? -errno : 0;
}

int btrfs_group_remove(int fd, uint64_t group)
{
	struct btrfs_ioctl_qgroup_create_args a = {.create = 0, .qgroupid = group};

	return ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &a) < 0 && errno != ENOENT ? -errno : 0;
}

int btrfs_group_limit(int fd, uint64_t group, uint64_t bytes)
{
	/* a maximum of all ones clears the limit */
	struct btrfs_ioctl_qgroup_limit_args a = {
		.qgroupid = group,
		.lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER, .max_rfer = bytes ? bytes : UINT64_MAX},
	};

	return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &a) < 0 ? -errno : 0;
}

struct group_items {
	uint64_t group, limit, used;
	bool found;
};

static int group_item(const struct btrfs_item *it, void *arg)
{
	struct group_items *g = arg;

	if (it->offset != g->group)
		return 0;
	if (it->type == BTRFS_QGROUP_INFO_KEY && it->len >= sizeof(struct btrfs_qgroup_info_item)) {
		const struct btrfs_qgroup_info_item *i = it->data;

		g->used = le64toh(i->rfer);
		g->found = true;
	} else if (it->type == BTRFS_QGROUP_LIMIT_KEY && it->len >= sizeof(struct btrfs_qgroup_limit_item)) {
		const struct btrfs_qgroup_limit_item *l = it->data;

		if (le64toh(l->flags) & BTRFS_QGROUP_LIMIT_MAX_RFER)
			g->limit = le64toh(l->max_rfer);
	}
	return 0;
}

/* Key (0, type, group) exactly: the walk over all groups would cost more with every zone. */
static int group_find(int fd, uint32_t type, struct group_items *g)
{
	enum { ROOM = 512 };
	_Alignas(8) uint8_t room[sizeof(struct btrfs_ioctl_search_args_v2) + ROOM] = {0};
	struct btrfs_ioctl_search_args_v2 *a = (void *)room;
	struct btrfs_ioctl_search_header h;
	struct btrfs_item it;

	a->key = (struct btrfs_ioctl_search_key){.tree_id = BTRFS_QUOTA_TREE_OBJECTID, .min_type = type, .max_type = type,
		.min_offset = g->group, .max_offset = g->group, .max_transid = UINT64_MAX, .nr_items = 1};
	a->buf_size = ROOM;
	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, a) < 0)
		return -errno;
	if (a->key.nr_items == 0)
		return 0;
	memcpy(&h, a->buf, sizeof h);
	it = (struct btrfs_item){.objectid = h.objectid, .offset = h.offset, .type = h.type, .len = h.len, .data = a->buf + sizeof h};
	return group_item(&it, g);
}

static void used_now(int fd, struct group_items *g)
{
	struct btrfs_fs fs;
	_buf_ struct buf b = BUF_INIT;
	char path[160];
	uint64_t v;

	if (btrfs_fs_info(fd, &fs) < 0)
		return;
	snprintf(path, sizeof path, "/sys/fs/btrfs/%s/qgroups/%u_%llu/referenced", fs.fsid, (unsigned)(g->group >> 48),
		 (unsigned long long)(g->group & 0xffffffffffffULL));
	if (file_read(AT_FDCWD, path, 64, &b, NULL) < 0 || b.len == 0)
		return;
	b.p[strcspn(b.p, "\n")] = 0;
	if (str_to_u64(b.p, &v) == 0)
		g->used = v;
}

int btrfs_group_get(int fd, uint64_t group, uint64_t *limit, uint64_t *used)
{
	struct group_items g = {.group = group};
	int r = group_find(fd, BTRFS_QGROUP_INFO_KEY, &g);

	if (r == 0)
		r = group_find(fd, BTRFS_QGROUP_LIMIT_KEY, &g);
	if (r < 0)
		return r;
	if (!g.found)
		return -ENOENT;
	if (used) {
		used_now(fd, &g);
		*used = g.used;
	}
	if (limit)
		*limit = g.limit == UINT64_MAX ? 0 : g.limit;
	return 0;
}

static int assign(int fd, uint64_t child, uint64_t parent, int on)
{
	struct btrfs_ioctl_qgroup_assign_args a = {.assign = (uint64_t)on, .src = child, .dst = parent};
	int r = ioctl(fd, BTRFS_IOC_QGROUP_ASSIGN, &a);

	return r < 0 ? -errno : r; /* 1: full quotas count wrongly until a rescan */
}

int btrfs_group_join(int fd, uint64_t child, uint64_t parent)
{
	int r = assign(fd, child, parent, 1);

	return r == -EEXIST ? 0 : r;
}

int btrfs_group_leave(int fd, uint64_t child, uint64_t parent)
{
	int r = assign(fd, child, parent, 0);

	return r == -ENOENT ? 0 : r;
}

/* A relation stands in the tree twice, once under each of the two; the higher level has the higher number. */
static int parent_one(const struct btrfs_item *it, void *arg)
{
	return it->offset == *(uint64_t *)arg ? 1 : 0;
}

int btrfs_group_member(int fd, uint64_t child, uint64_t parent)
{
	return btrfs_search(fd, BTRFS_QUOTA_TREE_OBJECTID, child, child, BTRFS_QGROUP_RELATION_KEY, BTRFS_QGROUP_RELATION_KEY,
			    parent_one, &parent);
}

struct members {
	int (*each)(uint64_t, void *);
	void *arg;
};

static int member_one(const struct btrfs_item *it, void *arg)
{
	struct members *m = arg;

	return it->offset < it->objectid ? m->each(it->offset, m->arg) : 0;
}

static int parent_each(const struct btrfs_item *it, void *arg)
{
	struct members *m = arg;

	return it->offset > it->objectid ? m->each(it->offset, m->arg) : 0;
}

int btrfs_group_members(int fd, uint64_t parent, int (*each)(uint64_t child, void *), void *arg)
{
	struct members m = {.each = each, .arg = arg};

	return btrfs_search(fd, BTRFS_QUOTA_TREE_OBJECTID, parent, parent, BTRFS_QGROUP_RELATION_KEY, BTRFS_QGROUP_RELATION_KEY,
			    member_one, &m);
}

int btrfs_group_parents(int fd, uint64_t child, int (*each)(uint64_t parent, void *), void *arg)
{
	struct members m = {.each = each, .arg = arg};

	return btrfs_search(fd, BTRFS_QUOTA_TREE_OBJECTID, child, child, BTRFS_QGROUP_RELATION_KEY, BTRFS_QGROUP_RELATION_KEY,
			    parent_each, &m);
}
