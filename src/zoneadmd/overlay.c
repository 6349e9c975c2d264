/* SPDX-License-Identifier: MPL-2.0 */
/* Overlays over idmapped layers: with whose credentials they work, and those that are only looked at. */
#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/zoneadmd.h"

#define STAGING "/run" /* covered for a moment, in a mount namespace of our own */

/*
 * Overlay works on its layers with the credentials that it was mounted with, and in an idmapped layer the host's uid 0
 * has no name: it has to be mounted as the zone's root, with the host root's capabilities, which a change of fsuid
 * would drop but for the securebit.
 */
int overlay_as(uint32_t id, struct err *e)
{
	int bits = prctl(PR_GET_SECUREBITS);

	if (bits < 0 || prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) < 0)
		return err_sys(e, errno, "securebits");
	setfsgid(id);
	setfsuid(id);
	if (prctl(PR_SET_SECUREBITS, bits) < 0)
		return err_sys(e, errno, "securebits");
	if ((uint32_t)setfsuid((uid_t)-1) != id)
		return err_set(e, EPERM, "could not take the file system id %u", id);
	return 0;
}

static int add_layer(int staging, const char *path, unsigned i, int userns, struct buf *lower, struct err *e)
{
	_fd_ int m = mnt_clone(AT_FDCWD, path, e);
	char name[12];
	int r;

	if (m < 0)
		return m;
	r = mnt_attr(m, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID, 0, userns, e);
	if (r < 0)
		return err_add(e, "%s", path);
	snprintf(name, sizeof name, "%u", i);
	if (mkdirat(staging, name, 0700) < 0)
		return err_sys(e, errno, "mkdir %s", name);
	buf_printf(lower, "%s%u", i ? ":" : "", i);
	return mnt_attach_at(m, staging, name, e);
}

static int overlay_over(int staging, const char *layers, uint32_t id_base, int userns, struct err *e)
{
	_free_ char *list = xstrdup(layers), *opts = NULL;
	_buf_ struct buf lower = BUF_INIT;
	char *save = NULL;
	unsigned n = 0;
	int fd, r = 0;

	for (char *p = strtok_r(list, "\n", &save); p && r == 0; p = strtok_r(NULL, "\n", &save))
		r = add_layer(staging, p, n++, userns, &lower, e);
	if (r == 0 && fchdir(staging) < 0)
		r = err_sys(e, errno, "staging");
	if (r == 0)
		r = overlay_as(id_base, e);
	if (r < 0)
		return r;
	opts = xprintf("lowerdir=%s,redirect_dir=follow,metacopy=on", buf_str(&lower));
	fd = mnt_new("overlay", "snapshot", opts, true, 0, e);
	r = overlay_as(0, fd < 0 ? NULL : e);
	if (fd >= 0 && r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int overlay_view(const char *layers, uint32_t id_base, int userns, struct err *e)
{
	_fd_ int staging = mnt_new("tmpfs", "staging", "size=64k,nr_inodes=80,mode=700", false, 0, e);
	_fd_ int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = staging < 0 ? staging : mnt_attach_at(staging, AT_FDCWD, STAGING, e), fd;

	if (r < 0)
		return r;
	fd = overlay_over(staging, layers, id_base, userns, e);
	if (fchdir(cwd) < 0 || umount2(STAGING, MNT_DETACH) < 0)
		r = err_sys(fd < 0 ? NULL : e, errno, "staging");
	if (fd >= 0 && r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
