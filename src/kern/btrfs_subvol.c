/* SPDX-License-Identifier: MPL-2.0 */
/* Subvolumes: making them, what they are, and deleting one with all that is nested in it. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/btrfs.h"

static int subvol_make(unsigned long cmd, int src, int dirfd, const char *name, bool ro, uint64_t group)
{
	struct btrfs_ioctl_vol_args_v2 a = {.fd = src, .flags = ro ? BTRFS_SUBVOL_RDONLY : 0};
	union {
		struct btrfs_qgroup_inherit h;
		uint8_t room[sizeof(struct btrfs_qgroup_inherit) + sizeof(uint64_t)];
	} in = {.h = {.num_qgroups = 1}};

	if (strlen(name) > BTRFS_SUBVOL_NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(a.name, name);
	if (group) {
		memcpy(in.room + sizeof in.h, &group, sizeof group);
		a.flags |= BTRFS_SUBVOL_QGROUP_INHERIT;
		a.size = sizeof in.room;
		a.qgroup_inherit = &in.h;
	}
	return ioctl(dirfd, cmd, &a) < 0 ? -errno : 0;
}

int btrfs_subvol_create(int dirfd, const char *name, uint64_t group)
{
	return subvol_make(BTRFS_IOC_SUBVOL_CREATE_V2, 0, dirfd, name, false, group);
}

int btrfs_subvol_snapshot(int src, int dirfd, const char *name, bool ro, uint64_t group)
{
	return subvol_make(BTRFS_IOC_SNAP_CREATE_V2, src, dirfd, name, ro, group);
}

int btrfs_subvol_id(int fd, uint64_t *id)
{
	struct btrfs_ioctl_ino_lookup_args a = {.treeid = 0, .objectid = BTRFS_FIRST_FREE_OBJECTID};

	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &a) < 0)
		return -errno;
	*id = a.treeid;
	return 0;
}

int btrfs_subvol_created(int fd, uint64_t *wall_ns)
{
	struct btrfs_ioctl_get_subvol_info_args a = {0};

	if (ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, &a) < 0)
		return -errno;
	if (a.stime.sec)
		a.otime = a.stime;
	*wall_ns = a.otime.sec * 1000000000ULL + a.otime.nsec;
	return 0;
}

/* "Sent at", as a received one has it; of no sender's uuid, so that no `btrfs receive` takes it for its own. A snapshot of it that is writable has it no more. */
int btrfs_subvol_set_created(int fd, uint64_t wall_ns)
{
	struct btrfs_ioctl_received_subvol_args a = {.stime = {wall_ns / 1000000000, (uint32_t)(wall_ns % 1000000000)}};

	return ioctl(fd, BTRFS_IOC_SET_RECEIVED_SUBVOL, &a) < 0 ? -errno : 0;
}

int btrfs_subvol_ro(int fd)
{
	uint64_t flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
		return -errno;
	return (flags & BTRFS_SUBVOL_RDONLY) != 0;
}

int btrfs_subvol_set_ro(int fd, bool ro)
{
	uint64_t flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
		return -errno;
	if (!!(flags & BTRFS_SUBVOL_RDONLY) == ro)
		return 0;
	flags ^= BTRFS_SUBVOL_RDONLY;
	return ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/*
 * Deleting a subvolume and what is nested in it. The tree of roots says which ids are below which, so no name that
 * the zone chose is ever looked up; the kernel deletes by id. Only a nested parent that the zone made read-only has
 * to be opened (its flag is in the way), and that is done below the top's descriptor, without links.
 */
struct nested {
	uint64_t id, dirid;
	size_t parent; /* index */
	char name[BTRFS_SUBVOL_NAME_MAX + 1];
};
struct nest {
	struct nested *v;
	size_t n, cap, parent;
};

static int nested_one(const struct btrfs_item *it, void *arg)
{
	struct nest *s = arg;
	const struct btrfs_root_ref *ref = it->data;
	uint16_t n;

	if (it->type != BTRFS_ROOT_REF_KEY || it->len < sizeof *ref)
		return 0;
	n = le16toh(ref->name_len);
	if (sizeof *ref + n > it->len || n > BTRFS_SUBVOL_NAME_MAX)
		return -EUCLEAN;
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n] = (struct nested){.id = it->offset, .dirid = le64toh(ref->dirid), .parent = s->parent};
	memcpy(s->v[s->n].name, ref + 1, n);
	s->n++;
	return 0;
}

static int open_below(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);

	return fd < 0 ? -errno : fd;
}

/* Descriptor of v[i]; v[0] is the top. */
static int open_nested(const struct nest *s, int top, size_t i)
{
	_fd_ int fd = -1;
	size_t depth = 0, *way;
	int r = 0;

	for (size_t k = i; k; k = s->v[k].parent)
		depth++;
	way = xalloc((depth + 1) * sizeof *way);
	for (size_t k = i, d = depth; k; k = s->v[k].parent)
		way[--d] = k;
	fd = fcntl(top, F_DUPFD_CLOEXEC, 0);
	for (size_t d = 0; d < depth && fd >= 0 && r >= 0; d++) {
		const struct nested *n = &s->v[way[d]];
		struct btrfs_ioctl_ino_lookup_args a = {.treeid = s->v[n->parent].id, .objectid = n->dirid};
		_free_ char *path = NULL;
		int next;

		if (ioctl(top, BTRFS_IOC_INO_LOOKUP, &a) < 0) {
			r = -errno;
			break;
		}
		path = xprintf("%s%s", a.name, n->name); /* a.name ends in a slash or is empty */
		next = open_below(fd, path);
		close(fd);
		fd = next;
		if (fd < 0)
			r = fd;
	}
	free(way);
	return r < 0 ? r : fd < 0 ? -errno : take_fd(&fd);
}

static int delete_id(int fsfd, uint64_t id)
{
	struct btrfs_ioctl_vol_args_v2 a = {.flags = BTRFS_SUBVOL_SPEC_BY_ID, .subvolid = id};

	return ioctl(fsfd, BTRFS_IOC_SNAP_DESTROY_V2, &a) < 0 ? -errno : 0;
}

struct groups {
	uint64_t v[8];
	size_t n;
};

static int group_above(const struct btrfs_item *it, void *arg)
{
	struct groups *g = arg;

	if (it->offset > it->objectid && g->n < ARRAY_LEN(g->v))
		g->v[g->n++] = it->offset;
	return 0;
}

/* Its entry in a parent that has used up its quota can't be removed (EDQUOT): the parent, about to go too, leaves its groups. */
static int leave_groups(int fsfd, uint64_t id)
{
	struct groups g = {.n = 0};
	int r = btrfs_search(fsfd, BTRFS_QUOTA_TREE_OBJECTID, id, id, BTRFS_QGROUP_RELATION_KEY, BTRFS_QGROUP_RELATION_KEY,
			     group_above, &g);

	for (size_t i = 0; r >= 0 && i < g.n; i++)
		r = btrfs_group_leave(fsfd, id, g.v[i]);
	return r < 0 ? r : 0;
}

static int delete_nested(const struct nest *s, int fsfd, int top, size_t i)
{
	const struct nested *up = &s->v[s->v[i].parent];
	int r = -EAGAIN;

	/* read-only, out of quota, or first the one and then the other */
	for (int tries = 0; tries < 4; tries++) {
		r = delete_id(fsfd, s->v[i].id);
		if (i == 0 || (r != -EROFS && r != -EDQUOT))
			break;
		if (r == -EROFS) {
			_fd_ int p = open_nested(s, top, s->v[i].parent);

			r = p < 0 ? p : btrfs_subvol_set_ro(p, false);
		}
		if (r == -EDQUOT)
			r = leave_groups(fsfd, up->id);
		if (r < 0)
			break;
	}
	return r;
}

static int find_nested(int fsfd, int fd, struct nest *s)
{
	uint64_t id;
	int r = btrfs_subvol_id(fd, &id);

	if (r < 0)
		return r;
	if (id == BTRFS_FS_TREE_OBJECTID)
		return -EINVAL;
	s->v = xalloc(sizeof *s->v);
	s->cap = s->n = 1;
	s->v[0].id = id;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		s->parent = i;
		r = btrfs_search(fsfd, BTRFS_ROOT_TREE_OBJECTID, s->v[i].id, s->v[i].id, BTRFS_ROOT_REF_KEY, BTRFS_ROOT_REF_KEY,
				 nested_one, s);
	}
	return r;
}

int btrfs_subvol_delete(int fsfd, int fd)
{
	struct nest s = {.v = NULL};
	int r = find_nested(fsfd, fd, &s);

	for (size_t i = s.n; r == 0 && i-- > 0;) {
		r = delete_nested(&s, fsfd, fd, i);
		if (r == -ENOENT && i > 0) /* gone in the meantime */
			r = 0;
	}
	free(s.v);
	return r;
}

int btrfs_subvol_nested(int fsfd, int fd, int (*each)(uint64_t id, void *), void *arg)
{
	struct nest s = {.v = NULL};
	int r = find_nested(fsfd, fd, &s);

	for (size_t i = 0; r >= 0 && i < s.n; i++)
		r = each(s.v[i].id, arg);
	free(s.v);
	return r;
}
