/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

int mnt_clone(int dirfd, const char *path, struct err *e)
{
	int fd = open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH));

	return fd < 0 ? err_sys(e, errno, "clone mount %s", path) : fd;
}

/* The filesystem context keeps what went wrong as lines "e text", "w text". */
static int fs_fail(int fs, int code, const char *type, const char *what, struct err *e)
{
	char line[256], said[512] = "";

	for (;;) {
		ssize_t n = read(fs, line, sizeof line - 1);
		size_t used = strlen(said);

		if (n <= 2)
			break;
		line[n] = 0;
		while (n > 0 && line[n - 1] == '\n')
			line[--n] = 0;
		snprintf(said + used, sizeof said - used, "%s%s", used ? "; " : "", line + 2);
	}
	return err_sys(e, code, "%s: %s%s%s%s", type, what, *said ? " (" : "", said, *said ? ")" : "");
}

int mnt_new(const char *type, const char *source, const char *opts, bool ro, uint64_t attrs, struct err *e)
{
	_fd_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	_free_ char *copy = opts ? xstrdup(opts) : NULL;
	char *save = NULL;
	int fd;

	if (fs < 0)
		return err_sys(e, errno, errno == ENODEV ? "filesystem %s is not in this kernel" : "open filesystem %s", type);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source ?: type, 0) < 0)
		return fs_fail(fs, errno, type, source ?: type, e);
	for (char *o = copy ? strtok_r(copy, ",", &save) : NULL; o; o = strtok_r(NULL, ",", &save)) {
		char *v = strchr(o, '=');

		if (v)
			*v++ = 0;
		if ((v ? fsconfig(fs, FSCONFIG_SET_STRING, o, v, 0) : fsconfig(fs, FSCONFIG_SET_FLAG, o, NULL, 0)) < 0)
			return fs_fail(fs, errno, type, o, e);
	}
	if (ro && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fs_fail(fs, errno, type, "ro", e);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_fail(fs, errno, type, "create", e);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)(attrs | (ro ? MOUNT_ATTR_RDONLY : 0)));
	return fd < 0 ? fs_fail(fs, errno, type, "mount", e) : fd;
}

int mnt_attr(int mnt, uint64_t set, uint64_t clr, int userns, struct err *e)
{
	struct mount_attr a = {.attr_set = set, .attr_clr = clr};

	if (userns >= 0) {
		a.attr_set |= MOUNT_ATTR_IDMAP;
		a.userns_fd = (uint64_t)userns;
	}
	if (!a.attr_set && !a.attr_clr)
		return 0;
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &a, sizeof a) < 0) {
		int code = errno;

		err_sys(e, code, userns >= 0 ? "map ids of the mount" : "set the mount's flags");
		if (userns >= 0 && code == EINVAL)
			err_hint(e, "this filesystem has no idmapped mounts on this kernel");
		return -code;
	}
	return 0;
}

int mnt_attach(int mnt, int on, struct err *e)
{
	if (move_mount(mnt, "", on, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, "attach mount");
	return 0;
}

int mnt_attach_at(int mnt, int dirfd, const char *name, struct err *e)
{
	if (move_mount(mnt, "", dirfd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "attach mount on %s", name);
	return 0;
}

int mnt_private(int mnt, struct err *e)
{
	struct mount_attr a = {.propagation = MS_PRIVATE};

	return mount_setattr(mnt, "", AT_EMPTY_PATH, &a, sizeof a) < 0 ? err_sys(e, errno, "make a mount private") : 0;
}

int mnt_propagation(const char *path, unsigned long how, struct err *e)
{
	if (mount(NULL, path, NULL, MS_REC | how, NULL) < 0)
		return err_sys(e, errno, "propagation of %s", path);
	return 0;
}

int mnt_id(int fd)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, 0x1000 /* STATX_MNT_ID */, &sx) < 0)
		return -errno;
	return (int)sx.stx_mnt_id;
}

static uint64_t unique(int dirfd, const char *path, int flags)
{
	const unsigned want = 0x4000; /* STATX_MNT_ID_UNIQUE */
	struct statx sx;

	if (statx(dirfd, path, flags, want, &sx) < 0 || !(sx.stx_mask & want))
		return 0;
	return sx.stx_mnt_id;
}

uint64_t mnt_unique(int fd)
{
	return unique(fd, "", AT_EMPTY_PATH);
}

uint64_t mnt_unique_at(const char *path)
{
	return unique(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
}
