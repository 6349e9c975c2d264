/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"

#define OPAQUE "trusted.overlay.opaque"
/*
 * Opaque alone is not enough: a folder that became opaque while it was written to through an overlay may hold files
 * whose data is still in the layer below ("metacopy"), and bare they would be holes.
 */
#define NATIVE "trusted.cloister.native"

const char *const overlay_natives[] = {"home", "root", "srv", "tmp", "var", NULL};

int overlay_native_mark(int dirfd, const char *name)
{
	_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, OPAQUE, "y", 1, 0) < 0 || fsetxattr(fd, NATIVE, "y", 1, 0) < 0)
		return -errno;
	return 0;
}

int overlay_native_open(int dirfd, const char *name)
{
	_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char y;

	if (fd < 0 || fgetxattr(fd, NATIVE, &y, 1) != 1 || fgetxattr(fd, OPAQUE, &y, 1) != 1 || y != 'y')
		return -ENOENT;
	return take_fd(&fd);
}
