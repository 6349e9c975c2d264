/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The reserve: one file in the pool that holds room of both kinds a copy-on-write file system can run out of. Its
 * preallocated data is room for records, its extended attributes (one tree block each) are room for the trees, which
 * a snapshot or a rename needs. When an operation meets ENOSPC the file is removed, which the file system can always
 * do, and the operation is tried again; the file comes back once there is room.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "store/ops.h"

#define RESERVE_FILE  STORE_META "/reserve"
#define ATTR_BYTES    3600       /* fills a 4 KiB tree block */
#define ATTR_MAX      4096       /* 16 MiB of tree; an exchange of two subvolumes alone asks for 2 */
#define DATA_MAX      (64 << 20)

static uint64_t wanted(const struct statvfs *v)
{
	uint64_t n = (uint64_t)v->f_blocks * v->f_frsize / 100;

	return (n < DATA_MAX ? n : DATA_MAX) & ~4095ULL;
}

uint64_t reserve_size(int poolfd)
{
	struct stat st;

	return fstatat(poolfd, RESERVE_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

int reserve_make(const struct store *s)
{
	_fd_ int fd = -1;
	struct statvfs v;
	char tmp[64], name[32], fill[ATTR_BYTES];
	unsigned n;
	int r = 0;

	if (faccessat(s->fd, RESERVE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (fstatvfs(s->fd, &v) < 0)
		return -errno;
	/* not while it would take the last room away again */
	if ((uint64_t)v.f_bavail * v.f_frsize < 4 * wanted(&v))
		return 0;
	n = (unsigned)(wanted(&v) * 100 / 128 / 4096);
	if (n > ATTR_MAX)
		n = ATTR_MAX;
	snprintf(tmp, sizeof tmp, RESERVE_FILE ".%d", (int)getpid());
	fd = openat(s->fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fallocate(fd, 0, 0, (off_t)wanted(&v)) < 0)
		r = -errno;
	for (unsigned i = 0; r == 0 && i < n; i++) {
		if (getrandom(fill, sizeof fill, 0) != (ssize_t)sizeof fill)
			r = -EIO;
		snprintf(name, sizeof name, "user.reserve.%u", i);
		if (r == 0 && fsetxattr(fd, name, fill, sizeof fill, 0) < 0)
			r = -errno;
	}
	if (r == 0 && renameat(s->fd, tmp, s->fd, RESERVE_FILE) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(s->fd, tmp, 0);
	return r < 0 ? r : 1;
}

int reserve_release(const struct store *s)
{
	int r;

	if (unlinkat(s->fd, RESERVE_FILE, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* freed blocks can be used from the next transaction on */
	r = s->ops->sync((struct store *)s);
	return r < 0 ? r : 1;
}
