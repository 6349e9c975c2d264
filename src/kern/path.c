/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

static int open2(int rootfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY),
		.mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (flags & O_PATH)
		how.flags = (uint64_t)((flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW)) | O_CLOEXEC);
	/* EAGAIN: a rename or mount elsewhere raced with the walk; the kernel asks to try again. */
	for (int tries = 0; tries < 64; tries++) {
		fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* RESOLVE_IN_ROOT takes "/" as the root itself; an empty path is ENOENT there. */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = open2(rootfd, path, flags, mode, RESOLVE_IN_ROOT);

	return fd < 0 ? err_sys(e, fd, "%s", path) : fd;
}

int path_open_nolink(int rootfd, const char *path, int flags, mode_t mode, struct err *e)
{
	int fd = open2(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);

	return fd < 0 ? err_sys(e, fd, "%s", path) : fd;
}

/*
 * On an idmapped mount the host's root has no id of its own, so what it makes is EOVERFLOW: then the new owner makes it.
 * Without CAP_DAC_OVERRIDE, which goes with the file system uid, so the other way is tried first.
 */
static int mkdir_as(int dirfd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int r;

	if (mkdirat(dirfd, name, mode) == 0) {
		if (fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		return 0;
	}
	if (errno != EOVERFLOW)
		return -errno;
	setfsgid(gid);
	setfsuid(uid);
	r = mkdirat(dirfd, name, mode) < 0 ? -errno : 0;
	setfsuid(0);
	setfsgid(0);
	return r;
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e)
{
	_free_ char *p = xstrdup(path);
	char *s = p;
	int fd;

	fd = open2(rootfd, path, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
	if (fd != -ENOENT)
		return fd < 0 ? err_sys(e, fd, "%s", path) : fd;
	/* From the root down, each prefix resolved afresh below the root, so that links inside mean what they mean inside. */
	for (;;) {
		_fd_ int parent = -1, here = -1;
		char *slash, *name, end;
		int r;

		while (*s == '/')
			s++;
		if (!*s)
			break;
		name = s;
		s += strcspn(s, "/");
		end = *s;
		*s = 0;
		here = open2(rootfd, p, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
		if (here == -ENOENT) {
			if (!strcmp(name, ".") || !strcmp(name, ".."))
				return err_sys(e, EINVAL, "%s", path);
			slash = name > p ? name - 1 : NULL;
			if (slash)
				*slash = 0;
			parent = slash && *p ? open2(rootfd, p, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT) :
					       open2(rootfd, "/", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
			if (slash)
				*slash = '/';
			if (parent < 0)
				return err_sys(e, parent, "%s", path);
			r = mkdir_as(parent, name, mode, uid, gid);
			/* EEXIST: a dangling link is in the way (or another made it): the lookup below tells. */
			if (r < 0 && r != -EEXIST)
				return err_sys(e, r, "mkdir %s", p);
			here = open2(rootfd, p, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
		}
		if (here < 0)
			return err_sys(e, here, "%s", p);
		*s = end;
	}
	fd = open2(rootfd, path, O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
	return fd < 0 ? err_sys(e, fd, "%s", path) : fd;
}
