/* SPDX-License-Identifier: MPL-2.0 */
/*
 * /dev: a folder of the zone's own tmpfs with nodes that are named one by one, an instance of devpts, and the console: a pty of that
 * instance, whose master the keeper holds and whose slave is bound on /dev/console.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "kern/path.h"
#include "zoneadmd/zoneadmd.h"

#define PTYS_DEFAULT 256
#define TTY_GROUP    5 /* every distribution's */

int dev_make(int dev, const struct zdev *d, uint32_t id_base, struct err *e)
{
	char name[256];
	_fd_ int dir = -1;
	char *slash;
	mode_t type = d->type == 'b' ? S_IFBLK : S_IFCHR;

	if (snprintf(name, sizeof name, "%s", d->name) >= (int)sizeof name || *name == '/' || !*name)
		return err_set(e, EINVAL, "device name \"%s\"", d->name);
	slash = strrchr(name, '/');
	if (slash)
		*slash = 0;
	dir = slash ? path_mkdirs_in(dev, name, 0755, id_base, id_base, e) : fcntl(dev, F_DUPFD_CLOEXEC, FD_FREE);
	if (dir < 0)
		return err_add(e, "/dev/%s", d->name);
	slash = slash ? slash + 1 : name;
	/* The folder is the zone's: a node of ours is never made in place of something that is there. */
	if (mknodat(dir, slash, type | d->mode, makedev(d->major, d->minor)) < 0 ||
	    fchownat(dir, slash, id_base, id_base, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "make device /dev/%s", d->name);
	return 0;
}

static int links(struct boot *b, struct err *e)
{
	static const char *const link[][2] = {
		{"ptmx", "pts/ptmx"},		{"fd", "/proc/self/fd"},	 {"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(link); i++)
		if (symlinkat(link[i][1], b->dev, link[i][0]) < 0 ||
		    fchownat(b->dev, link[i][0], b->z.id_base, b->z.id_base, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, errno, "link /dev/%s", link[i][0]);
	return 0;
}

static int folder(struct boot *b, const char *name, struct err *e)
{
	if (mkdirat(b->dev, name, 0755) < 0 || fchownat(b->dev, name, b->z.id_base, b->z.id_base, 0) < 0)
		return err_sys(e, errno, "mkdir /dev/%s", name);
	return 0;
}

static int console(struct boot *b, struct err *e)
{
	_fd_ int node = -1, m = -1;
	unsigned n;
	int zero = 0;
	char name[16];

	b->master = openat(b->pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (b->master < 0 || ioctl(b->master, TIOCSPTLCK, &zero) < 0 || ioctl(b->master, TIOCGPTN, &n) < 0)
		return err_sys(e, errno, "console pty");
	snprintf(name, sizeof name, "%u", n);
	if (fchownat(b->pts, name, b->z.id_base, b->z.id_base + TTY_GROUP, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(b->pts, name, 0600, 0) < 0)
		return err_sys(e, errno, "console pty %s", name);
	node = openat(b->dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (node < 0)
		return err_sys(e, errno, "make /dev/console");
	m = mnt_clone(b->pts, name, e);
	return m < 0 ? m : mnt_attach(m, node, e);
}

/*
 * Made in the host's mount namespace: an instance that was mounted there may draw on the ptys kept in
 * reserve (kernel.pty.reserve), one that a zone's root mounts itself, with as large a max as it likes, may not.
 */
int build_pts(struct boot *b, struct err *e)
{
	uint64_t max = b->z.ptys ? b->z.ptys : PTYS_DEFAULT;
	uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
	uint32_t gid = b->z.id_base + TTY_GROUP;
	char opts[128];

	snprintf(opts, sizeof opts, "ptmxmode=0666,mode=0620,gid=%u,max=%llu", gid, (unsigned long long)max);
	b->pts = mnt_new("devpts", NULL, opts, false, attrs, e);
	/*
	 * Kernels before 6.17 read the group as a signed number. The default node's ids are all below 2^31, a named node's
	 * are not: there a pty has its opener's group, and no rights for it.
	 */
	if (b->pts == -EINVAL && gid > INT32_MAX) {
		*e = (struct err)ERR_INIT;
		snprintf(opts, sizeof opts, "ptmxmode=0666,mode=0600,max=%llu", (unsigned long long)max);
		b->pts = mnt_new("devpts", NULL, opts, false, attrs, e);
	}
	return b->pts < 0 ? b->pts : 0;
}

static bool in_spec(const struct zspec *z, const char *target)
{
	for (unsigned i = 0; i < z->nmounts; i++)
		if (!strcmp(z->mounts[i].target, target))
			return true;
	return false;
}

static int shm(struct boot *b, struct err *e)
{
	char opts[96];
	_fd_ int m = -1;

	snprintf(opts, sizeof opts, "size=64m,nr_inodes=16384,mode=1777,uid=%u,gid=%u", b->z.id_base, b->z.id_base);
	m = mnt_new("tmpfs", "shm", opts, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, e);
	return m < 0 ? m : mnt_attach_at(m, b->dev, "shm", e);
}

/* The folder itself: a link in its place would put /dev elsewhere in the zone, so it is refused, not followed. */
static int mount_point(struct boot *b, struct err *e)
{
	int fd = path_open_nolink(b->root, "/dev", O_PATH | O_DIRECTORY, 0, NULL);

	if (fd == -ENOENT)
		fd = path_mkdirs_in(b->root, "/dev", 0755, b->z.id_base, b->z.id_base, e);
	else if (fd < 0)
		err_sys(e, fd, "/dev in the zone's root is not a folder");
	return fd;
}

int build_dev(struct boot *b, struct err *e)
{
	static const struct zdev nodes[] = {
		{(char *)"null", 'c', 1, 3, 0666},   {(char *)"zero", 'c', 1, 5, 0666},	   {(char *)"full", 'c', 1, 7, 0666},
		{(char *)"random", 'c', 1, 8, 0666}, {(char *)"urandom", 'c', 1, 9, 0666}, {(char *)"tty", 'c', 5, 0, 0666},
	};
	_fd_ int on = mount_point(b, e);
	int r;

	if (on < 0)
		return on;
	b->dev = own_folder(b->own, "dev", 0755, b->z.id_base, e);
	if (b->dev < 0)
		return b->dev;
	r = mnt_attr(b->dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, -1, e);
	if (r == 0)
		r = mnt_attach(b->dev, on, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(nodes); i++)
		r = dev_make(b->dev, &nodes[i], b->z.id_base, e);
	for (unsigned i = 0; r == 0 && i < b->z.ndevs; i++)
		r = dev_make(b->dev, &b->z.devs[i], b->z.id_base, e);
	if (r == 0)
		r = links(b, e);
	if (r == 0)
		r = folder(b, "shm", e);
	if (r == 0)
		r = folder(b, "mqueue", e);
	if (r == 0)
		r = folder(b, "pts", e);
	if (r == 0)
		r = mnt_attach_at(b->pts, b->dev, "pts", e);
	if (r == 0 && !b->z.no_console)
		r = console(b, e);
	/* an empty root has no place to put anything */
	if (r == 0 && !b->z.root_empty && !in_spec(&b->z, "/dev/shm"))
		r = shm(b, e);
	if (r < 0)
		return r;
	b->null = mnt_clone(b->dev, "null", e);
	return b->null < 0 ? b->null : mnt_attr(b->null, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, -1, e);
}
