/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Uppers whose inode numbers are no image file's.
 *
 * Two btrfs datasets are one file system to overlayfs, so it passes inode numbers through as they are, and every
 * dataset counts from 257: a zone had /etc/hostname and /var/lib/apt/lists under one number, and `cp -a` and find
 * took folders for loops. A dataset never uses a number twice and a snapshot goes on counting where its source
 * stood: so each image has a template, a snapshot of itself without its tree, and uppers are snapshots of that.
 *
 * Of the tree the template keeps the folders that a system writes to, as the upper's own (kern/overlay.h).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "image/build.h"
#include "kern/overlay.h"

#define MARGIN 4096 /* the platform image is made again below uppers that exist: room for as many new files */

static char *template_of(const char *uuid)
{
	return xprintf("images/.upper/%s", uuid);
}

/* All but the upper. */
static int make_empty(int fd, struct err *e)
{
	DIR *d = dir_of(fd); /* takes fd */
	int r = 0;

	if (!d)
		return err_sys(e, errno, "read folder");
	for (struct dirent *de; r == 0 && (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, "..") && strcmp(de->d_name, "upper"))
			r = dir_remove(dirfd(d), de->d_name, e);
	closedir(d);
	return r;
}

/* What the image has as a folder moves; a link, or what is not there, stays the overlay's. */
static int keep_natives(int fd, struct err *e)
{
	_fd_ int root = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_fd_ int upper = openat(fd, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (root < 0 || upper < 0)
		return err_sys(e, errno, "open root");
	for (const char *const *n = overlay_natives; *n; n++) {
		int r = 0;

		if (fstatat(root, *n, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (renameat(root, *n, upper, *n) < 0)
			return err_sys(e, errno, "move /%s", *n);
		r = overlay_native_mark(upper, *n);
		if (r < 0)
			return err_sys(e, r, "mark /%s", *n);
	}
	return 0;
}

static int fill(int fd, unsigned margin, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), r;

	if (copy < 0)
		return err_sys(e, errno, "dup");
	r = mkdirat(fd, "upper", 0755) < 0 ? err_sys(e, errno, "mkdir upper") : keep_natives(fd, e);
	if (r < 0)
		close(copy);
	else
		r = make_empty(copy, e);
	for (unsigned i = 0; r == 0 && i < margin; i++)
		if (mknodat(fd, "n", S_IFREG, 0) < 0 || unlinkat(fd, "n", 0) < 0)
			return err_sys(e, errno, "count inodes");
	if (r == 0 && mkdirat(fd, "work", 0755) < 0)
		r = err_sys(e, errno, "mkdir work");
	return r;
}

int upper_template(struct store *s, const char *uuid, bool replace, struct err *e)
{
	char tmp[STORE_TMP_NAME];
	_free_ char *image = xprintf("images/%s", uuid), *name = template_of(uuid);
	_fd_ int fd = -1;
	int r;

	if (store_exists(s, name)) {
		if (!replace)
			return 0;
		r = store_destroy(s, name, e);
		if (r < 0)
			return r;
	}
	store_tmp_name(s, "upper", tmp);
	r = store_snapshot(s, image, tmp, false, 0, e);
	if (r < 0)
		return r;
	fd = openat(store_fd(s), tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? err_sys(e, errno, "open %s", tmp) : fill(fd, replace ? MARGIN : 0, e);
	if (r == 0)
		r = store_rename(s, tmp, name, e);
	if (r < 0)
		store_destroy(s, tmp, NULL);
	/* another command was as quick */
	return r < 0 && store_exists(s, name) ? 0 : r;
}

int upper_drop(struct store *s, const char *uuid, struct err *e)
{
	_free_ char *name = template_of(uuid);

	return store_destroy(s, name, e);
}

int image_upper(struct store *s, const struct image *i, const char *dst, uint64_t quota_id, struct err *e)
{
	_free_ char *name = template_of(i->uuid);
	int r = upper_template(s, i->uuid, false, e); /* there already, unless the pool is from another time */

	return r < 0 ? r : store_snapshot(s, name, dst, false, quota_id, e);
}
