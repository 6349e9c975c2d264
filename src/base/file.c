/* SPDX-License-Identifier: MPL-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"

int file_read(int dirfd, const char *path, size_t max, struct buf *out, struct err *e)
{
	_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_buf_ struct buf b = BUF_INIT;
	char chunk[16384];

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "read %s", path);
		if (n == 0)
			break;
		if (b.len + (size_t)n > max)
			return err_sys(e, EFBIG, "%s: more than %zu bytes", path, max);
		buf_add(&b, chunk, (size_t)n);
	}
	buf_add(out, buf_str(&b), b.len);
	return 0;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *s = p;

	while (n) {
		ssize_t w = write(fd, s, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		s += w;
		n -= (size_t)w;
	}
	return 0;
}

int fd_cloexec(int fd, int on)
{
	int f = fcntl(fd, F_GETFD);

	if (f < 0 || fcntl(fd, F_SETFD, on ? f | FD_CLOEXEC : f & ~FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int sync_dir(const char *path, struct err *e)
{
	_free_ char *copy = xstrdup(path);
	const char *dir = dirname(copy);
	_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "sync %s", dir);
	return 0;
}

int file_replace(const char *path, const void *p, size_t n, mode_t mode, int durable, struct err *e)
{
	_free_ char *tmp = xprintf("%s.%d~", path, (int)getpid());
	_fd_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return err_sys(e, errno, "create %s", tmp);
	r = fd_write_all(fd, p, n);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && durable && fdatasync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return err_sys(e, r, "write %s", path);
	}
	return durable ? sync_dir(path, e) : 0;
}

int file_write(int dirfd, const char *path, const char *text, struct err *e)
{
	_fd_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = strlen(text);
	ssize_t w;

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	do
		w = write(fd, text, n);
	while (w < 0 && errno == EINTR);
	if (w < 0)
		return err_sys(e, errno, "write \"%.64s\" to %s", text, path);
	if ((size_t)w != n)
		return err_sys(e, EIO, "write \"%.64s\" to %s: only %zd bytes taken", text, path, w);
	return 0;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	_free_ char *p = xstrdup(path);

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	for (char *s = p + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = 0;
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "mkdir %s", p);
		*s = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", path);
	return 0;
}

DIR *dir_of(int fd)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int code = errno;

	if (fd >= 0 && !d) {
		close(fd);
		errno = code;
	}
	return d;
}

int dir_remove(int dirfd, const char *name, struct err *e)
{
	_dir_ DIR *d = NULL;
	int fd, r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, errno, "unlink %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "open %s", name);
	d = dir_of(fd);
	if (!d)
		return err_sys(e, errno, "open %s", name);
	for (struct dirent *de; (de = readdir(d));) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		r = dir_remove(fd, de->d_name, e);
		if (r < 0)
			return err_add(e, "%s", name);
	}
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, errno, "rmdir %s", name);
	return 0;
}
