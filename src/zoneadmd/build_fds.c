/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Descriptors that a zone's init is born with. A machine monitor has nothing of the host but these: it can open no disk and
 * listen at no socket by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/sock.h"
#include "zoneadmd/zoneadmd.h"

static int open_one(const struct boot *b, const struct zfd *f, struct err *e)
{
	struct stat st;
	int fd;

	if (f->kind == ZFD_LISTEN)
		return sock_serve(b->run_dir, f->path, e);
	fd = open(f->path, (f->kind == ZFD_FILE ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", f->path);
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, EINVAL, "%s is neither a file nor a block device", f->path);
}

int build_fds(struct boot *b, struct err *e)
{
	b->fds = xalloc((b->z.nfds + 1) * sizeof *b->fds);
	for (unsigned i = 0; i < b->z.nfds; i++) {
		b->fds[i] = open_one(b, &b->z.fds[i], e);
		if (b->fds[i] < 0)
			return b->fds[i];
	}
	return 0;
}

int init_fds(const struct zspec *z, int sock, struct err *e)
{
	for (unsigned i = 0; i < z->nfds; i++) {
		int fd;

		if (sock_recv_fd(sock, &fd) != 'f' || fd < 0)
			return err_set(e, EPROTO, "descriptor %u did not come", z->fds[i].number);
		/* dup2 of a descriptor to itself would leave it to be closed by exec */
		if (fd == (int)z->fds[i].number ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, (int)z->fds[i].number) < 0)
			return err_sys(e, errno, "descriptor %u", z->fds[i].number);
		if (fd != (int)z->fds[i].number)
			close(fd);
	}
	return 0;
}
