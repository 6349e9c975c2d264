/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Descriptors that a zone's init is born with. A machine monitor has nothing of the host but these: it can open no disk and
 * listen at no socket by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/diskfd.h"
#include "kern/sock.h"
#include "zoneadmd/zoneadmd.h"

static int open_one(const struct boot *b, const struct zfd *f, struct err *e)
{
	/* the run directory is covered by then: build_own() */
	_free_ char *path = f->path[0] == '/' ? xstrdup(f->path) : xprintf("/proc/self/fd/%d/%s", b->run_dir, f->path);

	return f->kind == ZFD_LISTEN ? sock_serve(b->run_dir, f->path, e) : diskfd_open(path, f->kind == ZFD_FILE_RO, e);
}

int build_fds(struct boot *b, struct err *e)
{
	b->fds = xalloc((b->z.nfds + 1) * sizeof *b->fds);
	for (unsigned i = 0; i < b->z.nfds; i++) {
		b->fds[i] = -1;
		if (b->z.fds[i].kind == ZFD_SENT)
			continue;
		b->fds[i] = open_one(b, &b->z.fds[i], e);
		if (b->fds[i] < 0)
			return b->fds[i];
	}
	return 0;
}

int build_fds_sent(struct boot *b, struct err *e)
{
	for (unsigned i = 0; i < b->z.nfds; i++) {
		int r = b->z.fds[i].kind == ZFD_SENT ? sock_recv_fd(b->go, &b->fds[i]) : 'f';

		if (r < 0)
			return err_set(e, ECANCELED, "the command has given up");
		if (r != 'f' || b->fds[i] < 0)
			return err_set(e, EPROTO, "the command did not send %s", b->z.fds[i].path);
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
