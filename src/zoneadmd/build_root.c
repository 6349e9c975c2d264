/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The zone's root, idmapped so that ids on disk stay 0 to 65535.
 *
 *	private: one clone of the dataset's mount
 *	shared:  staging tmpfs ── 0, 1, …  the image's layers, idmapped, read-only
 *	                       ├─ u        the zone's own dataset, idmapped (upper and work are in it)
 *	                       └─ r        the overlay over them
 *	                          └─ var … the upper's native folders, bound over themselves (kern/overlay.h)
 *
 * Overlay itself can't be idmapped, its layers can. The pool is mounted nosuid; here alone that is lifted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "kern/overlay.h"
#include "zoneadmd/zoneadmd.h"

#define LAYERS_MAX 64 /* fsconfig(2) takes 255 bytes of "0:1:2:…" */

static int layer(struct boot *b, int staging, const char *path, const char *name, uint64_t attrs, struct err *e)
{
	_fd_ int m = mnt_clone(AT_FDCWD, path, e);
	int r;

	if (m < 0)
		return m;
	r = mnt_attr(m, attrs | MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID, b->userns, e);
	if (r < 0)
		return err_add(e, "%s", path);
	if (mkdirat(staging, name, 0700) < 0)
		return err_sys(e, errno, "mkdir %s", name);
	return mnt_attach_at(m, staging, name, e);
}

/* upper and work are folders of one dataset: dir gets its path, up and wo their names. */
static int split_upper(const struct zspec *z, char **dir, const char **up, const char **wo, struct err *e)
{
	const char *u = strrchr(z->upper ?: "", '/'), *w = strrchr(z->work ?: "", '/');

	if (!u || !w || u == z->upper || u - z->upper != w - z->work || strncmp(z->upper, z->work, (size_t)(u - z->upper)) ||
	    strchr(u, ',') || strchr(w, ','))
		return err_set(e, EINVAL, "upper %s and work %s must be folders side by side", z->upper, z->work);
	*dir = xprintf("%.*s", (int)(u - z->upper), z->upper);
	*up = u + 1;
	*wo = w + 1;
	return 0;
}

static int overlay(struct boot *b, const char *opts, struct err *e)
{
	struct statvfs fs;
	int r = overlay_as(b->z.id_base, e);

	if (r < 0)
		return r;
	b->root = mnt_new("overlay", b->z.uuid, opts, false, MOUNT_ATTR_NODEV | (b->z.root_ro ? MOUNT_ATTR_RDONLY : 0), e);
	r = overlay_as(0, b->root < 0 ? NULL : e);
	if (b->root < 0 || r < 0)
		return b->root < 0 ? b->root : r;
	/* What it can't write to, an overlay takes without a word as something to be read only. */
	if (!b->z.root_ro && fstatvfs(b->root, &fs) == 0 && fs.f_flag & ST_RDONLY) {
		err_set(e, EROFS, "the overlay of the root came out read-only");
		return err_hint(e, "its work folder %s could not be made: see the kernel's log", b->z.work);
	}
	return 0;
}

static int natives(struct boot *b, int staging, const char *up, struct err *e)
{
	_free_ char *path = xprintf("u/%s", up);
	_fd_ int upper = openat(staging, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;

	if (upper < 0)
		return err_sys(e, errno, "%s", b->z.upper);
	for (const char *const *n = overlay_natives; *n && r == 0; n++) {
		_fd_ int fd = zspec_covers(&b->z, *n) ? -1 : overlay_native_open(upper, *n), m = -1;
		char at[16];

		if (fd < 0)
			continue;
		m = mnt_clone(fd, "", e);
		snprintf(at, sizeof at, "r/%s", *n);
		r = m < 0 ? m : b->z.root_ro ? mnt_attr(m, MOUNT_ATTR_RDONLY, 0, -1, e) : 0;
		if (r == 0)
			r = mnt_attach_at(m, staging, at, e);
	}
	return r;
}

static int shared_root(struct boot *b, struct err *e)
{
	const struct zspec *z = &b->z;
	_free_ char *dir = NULL, *opts = NULL;
	_buf_ struct buf lower = BUF_INIT;
	_fd_ int staging = mnt_new("tmpfs", "staging", "size=64k,nr_inodes=80,mode=700", false, 0, e);
	const char *up = NULL, *wo = NULL;
	char name[8];
	int r = staging < 0 ? staging : mnt_attach_at(staging, AT_FDCWD, z->run_dir, e);

	if (r == 0)
		r = split_upper(z, &dir, &up, &wo, e);
	for (int i = 0; r == 0 && z->lower && z->lower[i]; i++) {
		if (i == LAYERS_MAX)
			return err_set(e, E2BIG, "more than %d layers", LAYERS_MAX);
		snprintf(name, sizeof name, "%d", i);
		buf_printf(&lower, "%s%d", i ? ":" : "", i);
		r = layer(b, staging, z->lower[i], name, MOUNT_ATTR_RDONLY, e);
	}
	if (r == 0)
		r = layer(b, staging, dir, "u", 0, e);
	if (r < 0)
		return r;
	if (fchdir(staging) < 0 || mkdirat(staging, "r", 0700) < 0)
		return err_sys(e, errno, "staging");
	/*
	 * redirect_dir: rename(2) of a folder of the image works instead of EXDEV. metacopy: chown and chmod do not copy
	 * file data. index stays off: it binds the upper to one incarnation of its lower, and rolling back would break it.
	 */
	opts = xprintf("lowerdir=%s,upperdir=u/%s,workdir=u/%s,redirect_dir=on,metacopy=on,xino=auto,index=off", buf_str(&lower),
		       up, wo);
	r = overlay(b, opts, e);
	if (r < 0)
		return r;
	r = mnt_attach_at(b->root, staging, "r", e);
	if (r == 0)
		r = natives(b, staging, up, e);
	if (r == 0 && chdir("/") < 0)
		r = err_sys(e, errno, "chdir /");
	return r;
}

int build_root(struct boot *b, struct err *e)
{
	const struct zspec *z = &b->z;
	int r;

	if (z->root_empty) {
		b->root = own_folder(b->own, "root", 0755, 0, e);
		return b->root < 0 ? b->root : mnt_attach_at(b->root, AT_FDCWD, z->run_dir, e);
	}
	if (z->shared)
		return shared_root(b, e);
	b->root = mnt_clone(AT_FDCWD, z->root_path, e);
	if (b->root < 0)
		return b->root;
	r = mnt_attr(b->root, MOUNT_ATTR_NODEV | (z->root_ro ? MOUNT_ATTR_RDONLY : 0),
		     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (z->root_ro ? 0 : MOUNT_ATTR_RDONLY), b->userns, e);
	if (r < 0)
		return err_add(e, "%s", z->root_path);
	return mnt_attach_at(b->root, AT_FDCWD, z->run_dir, e);
}
