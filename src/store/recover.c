/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What killed commands leave. A name in .tmp carries its maker's pid and start time, so that an entry is cleared when,
 * and only when, its maker is gone. Names of another form belong to a module that clears them by its own locks.
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
#include "base/str.h"
#include "store/ops.h"

/* Field 22 of /proc/<pid>/stat, 0 = no such process. */
static unsigned long long start_time(int pid)
{
	_buf_ struct buf b = BUF_INIT;
	char path[32];
	unsigned long long t = 0;
	const char *p;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (file_read(AT_FDCWD, path, 4096, &b, NULL) < 0 || !(p = strrchr(buf_str(&b), ')')))
		return 0;
	/* the name may hold anything; behind its last bracket come state and 18 numbers */
	if (sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &t) != 1)
		return 0;
	return t;
}

const char *store_tmp_name(const struct store *s, const char *what, char out[STORE_TMP_NAME])
{
	char u[UUID_LEN + 1];

	uuid_make(u);
	snprintf(out, STORE_TMP_NAME, STORE_TMP "/%d.%llu.%.20s.%.8s", (int)getpid(), start_time((int)getpid()), what, u);
	return out;
}

static bool abandoned(const char *name)
{
	int pid, n = 0;
	unsigned long long t;

	return sscanf(name, "%d.%llu.%n", &pid, &t, &n) == 2 && n > 0 && (t == 0 || start_time(pid) != t);
}

/* A plain folder in .tmp may hold datasets one level down. */
static int clear_entry(struct store *s, const char *path, int depth, struct err *e)
{
	_dir_ DIR *d = NULL;
	struct store_at at = {.dirfd = -1};
	int fd, r;

	if (store_exists(s, path))
		return store_destroy(s, path, e);
	fd = depth ? store_dir_open(s->fd, path) : -ENOTDIR;
	if (fd >= 0) {
		d = dir_of(fd);
		if (!d)
			return err_sys(e, errno, "%s", path);
		for (struct dirent *de; (de = readdir(d));) {
			_free_ char *sub = NULL;

			if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
				continue;
			sub = xprintf("%s/%s", path, de->d_name);
			r = clear_entry(s, sub, depth - 1, e);
			if (r < 0)
				return r;
		}
	}
	r = store_at_open(s, path, false, &at, e);
	if (r == 0) {
		r = dir_remove(at.dirfd, at.leaf, e);
		close(at.dirfd);
	}
	return r;
}

int store_recover(struct store *s, struct err *e)
{
	_dir_ DIR *d = NULL;
	int fd = store_dir_open(s->fd, STORE_TMP), r, first = 0;

	if (fd >= 0) {
		d = dir_of(fd);
		if (!d)
			return err_sys(e, errno, "pool: .tmp");
		for (struct dirent *de; (de = readdir(d));) {
			char path[300];

			if (!abandoned(de->d_name))
				continue;
			snprintf(path, sizeof path, STORE_TMP "/%s", de->d_name);
			r = clear_entry(s, path, 2, first ? NULL : e);
			if (r < 0 && !first)
				first = r;
		}
	} else if (fd != -ENOENT) {
		return err_sys(e, fd, "pool: .tmp");
	}
	r = s->ops->quota_recover(s);
	if (r < 0 && !first)
		first = err_sys(e, r, "pool: quota groups");
	reserve_make(s);
	return first;
}
