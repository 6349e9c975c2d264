/* SPDX-License-Identifier: MPL-2.0 */
/* The btrfs driver's pool: making, mounting and wiping the file system. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/btrfs.h"
#include "kern/loop.h"
#include "store/btrfs.h"

static const char *find_tool(const char *const *path)
{
	for (; *path; path++)
		if (access(*path, X_OK) == 0)
			return *path;
	return NULL;
}

static int make_folder(const struct pool_conf *p, struct err *e)
{
	_free_ char *dir = xstrdup(p->dev[0]);
	char *slash = strrchr(dir, '/');
	_fd_ int fd = -1;
	int r;

	*slash = 0;
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : btrfs_subvol_create(fd, slash + 1, 0);
	if (r < 0)
		return err_sys(e, r, "make subvolume %s", p->dev[0]);
	close(fd);
	fd = open(p->dev[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* the mount's own options are its owner's; compression goes with the folder */
	if (fd < 0 || fsetxattr(fd, "btrfs.compression", "zstd", 4, 0) < 0)
		return err_sys(e, errno, "compression of %s", p->dev[0]);
	return 0;
}

int pool_btrfs_format(struct ctx *c, struct pool_conf *p, bool force, struct err *e)
{
	static const char *const mkfs[] = {"/usr/sbin/mkfs.btrfs", "/sbin/mkfs.btrfs", "/usr/bin/mkfs.btrfs",
		"/usr/local/sbin/mkfs.btrfs", NULL};
	const char *argv[24 + POOL_DEVS_MAX];
	_buf_ struct buf out = BUF_INIT;
	char label[64];
	size_t n = 0;
	int r;

	if (p->kind == POOL_FOLDER)
		return make_folder(p, e);
	argv[n++] = find_tool(mkfs);
	if (!argv[0]) {
		err_set(e, ENOENT, "mkfs.btrfs is not installed");
		err_hint(e, "install the package btrfs-progs");
		return -ENOENT;
	}
	snprintf(label, sizeof label, "cloister:%s", c->node.name);
	/* nodesize 4096: the cost of a snapshot stays flat over hundreds of them (at 16384 it quadruples) */
	const char *const fixed[] = {"-q", "-n", "4096", "--csum", "crc32c", "-L", label, "-U", p->fsid};
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		argv[n++] = fixed[i];
	argv[n++] = "-d";
	argv[n++] = p->mirror ? "raid1" : "single";
	argv[n++] = "-m";
	argv[n++] = p->ndevs > 1 ? "raid1" : "dup";
	if (p->kind == POOL_FILE)
		argv[n++] = "-K"; /* a discard would make the file sparse */
	if (force)
		argv[n++] = "-f";
	for (size_t i = 0; i < p->ndevs; i++)
		argv[n++] = p->dev[i];
	argv[n] = NULL;
	r = tool_run(argv, &out, e);
	if (r > 0)
		r = err_set(e, EIO, "%s: %.600s", argv[0], out.len ? out.p : "failed");
	return r;
}

static int mount_at(struct ctx *c, const char *dev, const char *opts, struct err *e)
{
	if (mount(dev, c->node.pool, "btrfs", MS_NOSUID | MS_NODEV | MS_NOATIME, opts) < 0)
		return err_sys(e, errno, "mount %s at %s (%s)", dev, c->node.pool, opts);
	return 0;
}

static int mount_file(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	char name[LOOP_NAME];
	bool direct = true;
	_fd_ int fd = loop_open(p->dev[0], name, &direct, e);

	if (fd < 0)
		return fd;
	if (!direct)
		ctx_log(c, LOG_WARN, "pool: the file system of %s has no direct I/O: pages are cached twice", p->dev[0]);
	/* the mount keeps the device; when it goes, the kernel frees the device */
	return mount_at(c, name, "compress=zstd:1,nodiscard", e);
}

/* The next device of the machine with btrfs on it, from /proc/partitions. */
static bool next_device(FILE *f, char path[80], struct btrfs_super *sb)
{
	char l[256], name[64];

	while (f && fgets(l, sizeof l, f)) {
		_fd_ int fd = -1;

		if (sscanf(l, " %*u %*u %*u %63s", name) != 1)
			continue;
		snprintf(path, 80, "/dev/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0 && btrfs_super_read(fd, sb) == 0)
			return true;
	}
	return false;
}

/* A device of file system fsid, among all of the machine; the kernel is told of each. 1 = found. */
static int find_device(const char *fsid, char *out, size_t room)
{
	_file_ FILE *f = fopen("/proc/partitions", "re");
	struct btrfs_super sb;
	char path[80];

	while (next_device(f, path, &sb)) {
		if (strcmp(sb.fsid, fsid))
			continue;
		btrfs_scan(path);
		if (out && !*out)
			snprintf(out, room, "%s", path);
	}
	return out && *out;
}

/* Adds a pool's device to a list for people, as far as there is room. */
static void list_pool(char *list, size_t room, const struct btrfs_super *sb, const char *path)
{
	size_t n = strlen(list);

	snprintf(list + n, room - n, "%s%.64s on %s", n ? ", " : "", sb->label, path);
}

/* The one pool that bears this node's name and no node of this boot has mounted. Pools of other nodes are named, never
 * taken: they may be of a node here that is only not up. With an fsid, that pool, whatever it is called. */
static int find_pool(struct ctx *c, struct pool_conf *p, struct err *e)
{
	_file_ FILE *f = fopen("/proc/partitions", "re");
	struct btrfs_super sb;
	char path[80], own[80], ours[256] = "", others[256] = "";
	bool given = *p->fsid, several = false;

	snprintf(own, sizeof own, "cloister:%s", c->node.name);
	while (next_device(f, path, &sb)) {
		bool mine = given ? !strcmp(p->fsid, sb.fsid) : !strcmp(sb.label, own);

		if (!str_starts(sb.label, "cloister:") || btrfs_mounted(sb.fsid))
			continue;
		list_pool(mine ? ours : others, sizeof ours, &sb, path);
		if (!mine)
			continue;
		if (!*p->fsid)
			strcpy(p->fsid, sb.fsid);
		several |= strcmp(p->fsid, sb.fsid) != 0;
		if (p->ndevs < POOL_DEVS_MAX)
			snprintf(p->dev[p->ndevs++], sizeof p->dev[0], "%s", path);
	}
	if (several) {
		err_set(e, ENOTUNIQ, "there is more than one pool %s: %s", own, ours);
		err_hint(e, "name the device of the one to import");
		return -ENOTUNIQ;
	}
	if (p->ndevs)
		return 0;
	if (*others) {
		err_set(e, ENODEV, "no pool %s was found on this machine's disks, but %s", given ? p->fsid : own, others);
		err_hint(e, "name the device, if that is the one to import");
	} else {
		err_set(e, ENODEV, "no pool was found on this machine's disks");
		err_hint(e, "name the file, devices or folder it is on");
	}
	return -ENODEV;
}

int pool_btrfs_find(struct ctx *c, struct pool_conf *p, struct err *e)
{
	struct stat st;

	if (!p->ndevs) {
		p->kind = POOL_DEVICES;
		return find_pool(c, p, e);
	}
	for (size_t i = 0; i < p->ndevs; i++) {
		struct btrfs_super sb;
		struct btrfs_fs fs;
		_fd_ int fd = open(p->dev[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
		int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;

		if (r < 0)
			return err_sys(e, r, "%s", p->dev[i]);
		if (!S_ISBLK(st.st_mode) && p->ndevs > 1)
			return err_set(e, EINVAL, "%s is not a device: a pool on a file or a folder has one", p->dev[i]);
		p->kind = S_ISDIR(st.st_mode) ? POOL_FOLDER : S_ISBLK(st.st_mode) ? POOL_DEVICES : POOL_FILE;
		r = p->kind == POOL_FOLDER ? btrfs_fs_info(fd, &fs) : btrfs_super_read(fd, &sb);
		if (r < 0)
			return err_set(e, EINVAL, "there is no pool on %s", p->dev[i]);
		if (p->kind == POOL_FILE)
			p->size = (uint64_t)st.st_size;
		if (i && strcmp(p->fsid, sb.fsid))
			return err_set(e, EINVAL, "%s and %s are of different pools", p->dev[0], p->dev[i]);
		strcpy(p->fsid, p->kind == POOL_FOLDER ? fs.fsid : sb.fsid);
	}
	return 0;
}

static int mount_devices(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	struct err le = ERR_INIT;
	char first[256] = "";
	int r;

	for (size_t i = 0; i < p->ndevs; i++) {
		struct btrfs_super sb;
		_fd_ int fd = open(p->dev[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);

		if (fd < 0 || btrfs_super_read(fd, &sb) < 0 || strcmp(sb.fsid, p->fsid))
			continue; /* names move between boots */
		btrfs_scan(p->dev[i]);
		if (!*first)
			snprintf(first, sizeof first, "%s", p->dev[i]);
	}
	if (!*first && !find_device(p->fsid, first, sizeof first))
		return err_set(e, ENODEV, "no device of this machine holds the pool %s", p->fsid);
	r = mount_at(c, first, "compress=zstd:1", &le);
	if (r < 0) {
		find_device(p->fsid, NULL, 0); /* all members known to the kernel */
		r = mount_at(c, first, "compress=zstd:1", &le);
	}
	if (r < 0 && p->mirror) {
		r = mount_at(c, first, "compress=zstd:1,degraded", NULL);
		if (r == 0)
			ctx_log(c, LOG_WARN, "pool: a device of the mirror is missing; replace it (cloister pool replace)");
	}
	if (r < 0 && e)
		*e = le;
	return r;
}

static int mount_folder(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	struct mount_attr at = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME};
	_fd_ int fd = open(p->dev[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), tree = -1;

	if (fd < 0)
		return err_sys(e, errno, "%s", p->dev[0]);
	if (pool_btrfs_check(fd, p->fsid) != 1) {
		err_set(e, ENODEV, "%s is not on the pool's file system", p->dev[0]);
		return err_hint(e, "mount it first (an entry in fstab does so at boot)");
	}
	tree = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &at, sizeof at) < 0 ||
	    move_mount(tree, "", AT_FDCWD, c->node.pool, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "mount %s at %s", p->dev[0], c->node.pool);
	return 0;
}

int pool_btrfs_mount(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	switch (p->kind) {
	case POOL_FILE:
		return mount_file(c, p, e);
	case POOL_DEVICES:
		return mount_devices(c, p, e);
	case POOL_FOLDER:
		return mount_folder(c, p, e);
	}
	return err_set(e, EINVAL, "pool.conf: kind");
}

int pool_btrfs_setup(struct ctx *c, struct pool_conf *p, int fd, struct err *e)
{
	int have = btrfs_quota_mode(fd), r;

	if (have < 0)
		return err_sys(e, have, "quota mode");
	if (have == BTRFS_QUOTA_OFF) {
		r = strcmp(p->quota, "full") ? btrfs_quota_enable(fd, BTRFS_QUOTA_SIMPLE) : -EINVAL;
		have = BTRFS_QUOTA_SIMPLE;
		if (r == -EINVAL && strcmp(p->quota, "simple")) { /* before 6.7, or asked for */
			r = btrfs_quota_enable(fd, BTRFS_QUOTA_FULL);
			have = BTRFS_QUOTA_FULL;
			if (r == 0)
				r = btrfs_quota_wait(fd);
		}
		if (r < 0)
			return err_sys(e, r, "enable %s quotas", *p->quota ? p->quota : "any");
		r = btrfs_quota_mode(fd);
		if (r != have)
			return err_set(e, EIO, "quotas were enabled, but the kernel says mode %d", r);
	} else if (*p->quota && strcmp(p->quota, have == BTRFS_QUOTA_SIMPLE ? "simple" : "full")) {
		return err_set(e, EEXIST, "%s quotas are on already and can't be changed to %s",
			       have == BTRFS_QUOTA_SIMPLE ? "simple" : "full", p->quota);
	}
	strcpy(p->quota, have == BTRFS_QUOTA_SIMPLE ? "simple" : "full");
	return 0;
}

static int wipe_folder(const struct pool_conf *p, struct err *e)
{
	_fd_ int fd = open(p->dev[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), up = -1;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", p->dev[0]);
	if (pool_btrfs_check(fd, p->fsid) != 1)
		return err_set(e, ENODEV, "%s is not on the pool's file system", p->dev[0]);
	up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = up < 0 ? -errno : btrfs_subvol_delete(up, fd);
	return r < 0 ? err_sys(e, r, "delete %s", p->dev[0]) : 0;
}

int pool_btrfs_wipe(struct ctx *c, const struct pool_conf *p, struct err *e)
{
	if (p->kind == POOL_FOLDER)
		return wipe_folder(p, e);
	if (p->kind == POOL_FILE) {
		if (p->ndevs && unlink(p->dev[0]) < 0 && errno != ENOENT)
			return err_sys(e, errno, "%s", p->dev[0]);
		return 0;
	}
	for (size_t i = 0; i < p->ndevs; i++) {
		struct btrfs_super sb;
		_fd_ int fd = open(p->dev[i], O_RDWR | O_CLOEXEC | O_EXCL);
		int r;

		/* a device that holds something else by now is not ours to wipe */
		if (fd < 0 && (errno == ENOENT || errno == ENXIO))
			continue;
		r = fd < 0 ? -errno : btrfs_super_read(fd, &sb);
		if (r == -ENODATA || (r == 0 && strcmp(sb.fsid, p->fsid)))
			continue;
		if (r == 0)
			r = btrfs_super_wipe(fd);
		if (r < 0)
			return err_sys(e, r, "wipe %s", p->dev[i]);
	}
	return 0;
}

int pool_btrfs_check(int fd, const char *fsid)
{
	struct btrfs_fs fs;
	int r = btrfs_fs_info(fd, &fs);

	return r < 0 ? r : !strcmp(fs.fsid, fsid);
}

unsigned pool_btrfs_caps(const struct pool_conf *p)
{
	unsigned w = STORE_SEND | STORE_COMPRESS | STORE_REFLINK;

	w |= !strcmp(p->quota, "simple") ? STORE_SQUOTA : STORE_QGROUP;
	if (p->kind == POOL_DEVICES)
		w |= STORE_MIRROR;
	return w;
}
