/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/diskfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"

#define FLAGS (O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Through a mount of its own that is read-only: a descriptor of it leads to nothing that can be written to. */
static int open_ro(int at, const char *path, struct err *e)
{
	_fd_ int mnt = -1;
	char self[40];
	int fd, r;

	snprintf(self, sizeof self, "/proc/self/fd/%d", at);
	mnt = mnt_clone(AT_FDCWD, self, e);
	r = mnt < 0 ? mnt : mnt_attr(mnt, MOUNT_ATTR_RDONLY, 0, -1, e);
	if (r < 0)
		return err_add(e, "%s", path);
	snprintf(self, sizeof self, "/proc/self/fd/%d", mnt);
	fd = open(self, O_RDONLY | FLAGS);
	return fd < 0 ? err_sys(e, errno, "%s", path) : fd;
}

int diskfd_open(const char *path, bool ro, struct err *e)
{
	_fd_ int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char self[40];
	struct stat st;
	int fd, code;

	if (at < 0 || fstat(at, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, EINVAL, "%s is neither a file nor a block device", path);
	if (ro && S_ISREG(st.st_mode))
		return open_ro(at, path, e);
	snprintf(self, sizeof self, "/proc/self/fd/%d", at);
	fd = open(self, (ro ? O_RDONLY : O_RDWR | (S_ISBLK(st.st_mode) ? O_EXCL : 0)) | FLAGS);
	if (fd >= 0)
		return fd;
	code = errno;
	err_sys(e, code, "%s", path);
	if (code == EBUSY)
		err_hint(e, "It is mounted, or another program or VM has it.");
	return -code;
}
