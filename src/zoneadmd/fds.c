/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "zoneadmd/zoneadmd.h"

#define SPEC_MAX (1u << 20)

int fds_reserve(void)
{
	if (close_range(FD_LOCK + 1, ~0U, 0) < 0)
		return -errno;
	for (int i = fd_cloexec(FD_LOCK, 1) < 0 ? FD_LOCK : FD_LOCK + 1; i < FD_FREE; i++)
		if (dup3(0, i, O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

int fd_fix(int fd, int number)
{
	if (fd < 0) {
		close(number);
		return 0;
	}
	if (fd == number)
		return fd_cloexec(fd, 0);
	return dup2(fd, number) < 0 ? -errno : 0;
}

int fd_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE), r = -errno;

	close(fd);
	return up < 0 ? r : up;
}

int spec_read(struct zspec *z, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	char chunk[4096];
	ssize_t n;

	while ((n = pread(FD_SPEC, chunk, sizeof chunk, (off_t)b.len)) > 0) {
		if (b.len + (size_t)n > SPEC_MAX)
			return err_sys(e, EFBIG, "zone spec");
		buf_add(&b, chunk, (size_t)n);
	}
	if (n < 0)
		return err_sys(e, errno, "read zone spec");
	return zspec_parse(buf_str(&b), b.len, z, e);
}

bool run_halting(void)
{
	return faccessat(FD_RUN, "halting", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int put_file(int dir, const char *name, const struct buf *text, struct err *e)
{
	char tmp[64];
	_fd_ int fd = -1;
	int r;

	snprintf(tmp, sizeof tmp, "%s.%d~", name, (int)getpid());
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, errno, "create %s", tmp);
	r = fd_write_all(fd, buf_str(text), text->len);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, tmp, 0);
		return err_sys(e, r, "write %s", name);
	}
	return 0;
}

static void put_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\t' || *s == '\n' || *s == '\\') {
			buf_add(b, "\\", 1);
			buf_add(b, *s == '\t' ? "t" : *s == '\n' ? "n" : "\\", 1);
		} else {
			buf_add(b, s, 1);
		}
	}
}

void say_err(int fd, const struct err *e)
{
	_buf_ struct buf b = BUF_INIT;

	buf_printf(&b, "err %d\t", e->code ? e->code : EIO);
	put_escaped(&b, e->msg);
	buf_add(&b, "\t", 1);
	put_escaped(&b, e->hint);
	buf_add(&b, "\n", 1);
	/* Nobody there to hear it any more: nothing can be done about that here. */
	if (fd_write_all(fd, buf_str(&b), b.len) < 0)
		return;
}
