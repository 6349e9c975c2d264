/* SPDX-License-Identifier: MPL-2.0 */
#include "image/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

static char *warm_dir(const char *uuid)
{
	return xprintf("images/.warm/%s", uuid);
}

static const char *prefix_of(bool private)
{
	return private ? "root-" : "upper-";
}

/* Newest directory stream on the folder, or NULL with errno. */
static DIR *open_dir(const struct store *s, const char *path)
{
	return dir_of(openat(store_fd(s), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int warm_take(struct store *s, const struct image *i, bool private, const char *dst, uint64_t quota_id, struct err *e)
{
	_free_ char *dir = warm_dir(i->uuid);
	const char *prefix = prefix_of(private);
	_dir_ DIR *d = NULL;
	int r;

	if (!(store_caps(s) & STORE_SQUOTA))
		return 0;
	d = open_dir(s, dir);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", dir);
	for (struct dirent *de; (de = readdir(d));) {
		_free_ char *from = NULL;

		if (!str_starts(de->d_name, prefix))
			continue;
		from = xprintf("%s/%s", dir, de->d_name);
		/* somebody else may be quicker: then it is not there any more, and the next one will do */
		r = store_rename(s, from, dst, NULL);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = store_quota_join(s, dst, quota_id, e);
		return r < 0 ? err_add(e, "warm clone %s", de->d_name) : 1;
	}
	return 0;
}

static unsigned count(const struct store *s, const char *path, const char *prefix)
{
	_dir_ DIR *d = open_dir(s, path);
	unsigned n = 0;

	for (struct dirent *de; d && (de = readdir(d));)
		n += str_starts(de->d_name, prefix);
	return n;
}

static int make_one(struct store *s, const struct image *i, bool private, const char *dir, struct err *e)
{
	char tmp[STORE_TMP_NAME], id[UUID_LEN + 1];
	_free_ char *to = NULL;
	int r;

	store_tmp_name(s, "warm", tmp);
	r = private ? store_snapshot(s, i->dataset, tmp, false, 0, e) : image_upper(s, i, tmp, 0, e);
	if (r < 0)
		return r;
	uuid_make(id);
	to = xprintf("%s/%s%.8s", dir, prefix_of(private), id);
	r = store_rename(s, tmp, to, e);
	if (r < 0)
		store_destroy(s, tmp, NULL);
	return r;
}

int warm_refill(struct ctx *c, struct store *s, const struct image *i, bool private, struct err *e)
{
	_free_ char *dir = warm_dir(i->uuid);
	_fd_ int fd = -1;
	int r = 0;

	if (!(store_caps(s) & STORE_SQUOTA))
		return 0;
	if ((mkdirat(store_fd(s), "images/.warm", 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(store_fd(s), dir, 0700) < 0 && errno != EEXIST))
		return err_sys(e, errno, "mkdir %s", dir);
	fd = openat(store_fd(s), dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(e, errno, "lock %s", dir);
	while (r == 0 && count(s, dir, prefix_of(private)) < WARM_KEEP) {
		r = ctx_check(c, e);
		if (r == 0)
			r = make_one(s, i, private, dir, e);
	}
	return r;
}

int warm_drop(struct store *s, const char *uuid, struct err *e)
{
	_free_ char *dir = warm_dir(uuid);
	_dir_ DIR *d = open_dir(s, dir);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", dir);
	for (struct dirent *de; r == 0 && (de = readdir(d));) {
		_free_ char *name = xprintf("%s/%s", dir, de->d_name);

		if (str_starts(de->d_name, prefix_of(true)) || str_starts(de->d_name, prefix_of(false)))
			r = store_destroy(s, name, e);
	}
	if (r == 0 && unlinkat(store_fd(s), dir, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "rmdir %s", dir);
	return r;
}
