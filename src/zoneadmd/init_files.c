/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files that the zone finds at boot (host name, resolvers). Written inside, by its own root: what a link in the way
 * could reach is the zone's anyway. A new file is renamed over what stands there, so that no fifo is waited for and no
 * link followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zoneadmd/zoneadmd.h"

static int parents(const char *path, struct err *e)
{
	_free_ char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash || slash == dir)
		return 0;
	*slash = 0;
	return dir_make(dir, 0755, e);
}

/* Of the same text already: a write would cost a copy-up in a shared root. */
static bool is_so(const struct zfile *f)
{
	_fd_ int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t n = strlen(f->text);
	_free_ char *have = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != n || (st.st_mode & 07777) != f->mode ||
	    st.st_uid || st.st_gid)
		return false;
	have = xalloc(n + 1);
	return read(fd, have, n) == (ssize_t)n && !memcmp(have, f->text, n);
}

static int one(const struct zfile *f, struct err *e)
{
	_free_ char *tmp = xprintf("%s.zone~", f->path);
	_fd_ int fd = -1;
	int r;

	if (is_so(f))
		return 0;
	r = parents(f->path, e);
	if (r < 0)
		return r;
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", tmp);
	r = fd_write_all(fd, f->text, strlen(f->text));
	if (r == 0 && (fchmod(fd, f->mode) < 0 || rename(tmp, f->path) < 0))
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_sys(e, r, "write %s", f->path);
	}
	return 0;
}

/* A zone whose disk is full still has to start, or nobody could clear it up: then the old file stays. */
int init_files(const struct zspec *z, struct err *e)
{
	for (unsigned i = 0; i < z->nfiles; i++) {
		struct err le = ERR_INIT;
		int r = one(&z->files[i], &le);

		if (r == -EDQUOT || r == -ENOSPC || r == 0)
			continue;
		err_set(e, r, "%s", le.msg);
		return r;
	}
	return 0;
}
