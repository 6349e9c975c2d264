/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

int loop_find(const char *file, char name[LOOP_NAME], struct err *e)
{
	_dir_ DIR *d = NULL;
	struct stat st;

	if (stat(file, &st) < 0)
		return err_sys(e, errno, "%s", file);
	d = opendir("/sys/block");
	if (!d)
		return err_sys(e, errno, "/sys/block");
	for (struct dirent *de; (de = readdir(d));) {
		char path[300];
		struct loop_info64 li;
		_fd_ int fd = -1;

		if (!str_starts(de->d_name, "loop"))
			continue;
		snprintf(path, sizeof path, "/sys/block/%s/loop/backing_file", de->d_name);
		if (access(path, F_OK) < 0)
			continue;
		snprintf(path, sizeof path, "/dev/%s", de->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &li) < 0)
			continue;
		/* the kernel encodes lo_device as its old-style number; compare the parts */
		if (li.lo_inode != st.st_ino || li.lo_offset != 0 ||
		    (li.lo_device != st.st_dev && li.lo_device != (uint64_t)(major(st.st_dev) << 8 | minor(st.st_dev))))
			continue;
		snprintf(name, LOOP_NAME, "/dev/%.20s", de->d_name);
		return take_fd(&fd);
	}
	return err_set(e, ENOENT, "%s: no loop device stands over it", file);
}

/*
 * A discard would punch holes into the backing file; the room given back could be taken by others, and a backing file
 * that runs out of room turns the file system read-only.
 */
static void no_discard(const char *name)
{
	char path[96];

	snprintf(path, sizeof path, "/sys/block/%s/queue/discard_max_bytes", name + strlen("/dev/"));
	file_write(AT_FDCWD, path, "0", NULL); /* a kernel without discard on loops has nothing to write to */
}

int loop_open(const char *file, char name[LOOP_NAME], bool *direct, struct err *e)
{
	_fd_ int ctl = -1, back = -1;
	struct loop_config lc = {.info = {.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO}};
	struct loop_info64 li = {0};
	int fd = loop_find(file, name, NULL);

	if (fd >= 0)
		goto have;
	back = open(file, O_RDWR | O_CLOEXEC);
	if (back < 0)
		return err_sys(e, errno, "%s", file);
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		return err_sys(e, errno, "/dev/loop-control");
	lc.fd = (uint32_t)back;
	snprintf((char *)lc.info.lo_file_name, sizeof lc.info.lo_file_name, "%s", file);
	for (int tries = 0; tries < 64; tries++) {
		int n = ioctl(ctl, LOOP_CTL_GET_FREE);

		if (n < 0)
			return err_sys(e, errno, "no free loop device");
		snprintf(name, LOOP_NAME, "/dev/loop%d", n);
		fd = open(name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "%s", name);
		if (ioctl(fd, LOOP_CONFIGURE, &lc) == 0)
			goto have;
		n = errno;
		close(fd);
		if (n != EBUSY) /* another took it between our two calls */
			return err_sys(e, n, "loop device %s over %s", name, file);
	}
	return err_set(e, EBUSY, "no free loop device");
have:
	no_discard(name);
	if (direct)
		*direct = ioctl(fd, LOOP_GET_STATUS64, &li) == 0 && (li.lo_flags & LO_FLAGS_DIRECT_IO);
	return fd;
}

int loop_resize(int fd, struct err *e)
{
	return ioctl(fd, LOOP_SET_CAPACITY, 0) < 0 ? err_sys(e, errno, "loop device: new size") : 0;
}
