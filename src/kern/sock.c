/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

static int address(int dir, const char *name, struct sockaddr_un *a, struct err *e)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", dir, name) >= (int)sizeof a->sun_path)
		return err_sys(e, ENAMETOOLONG, "socket %s", name);
	return 0;
}

static int listen_at(int dir, const char *name, int type, struct err *e)
{
	_fd_ int s = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	char tmp[64];
	int r;

	if (s < 0)
		return err_sys(e, errno, "socket");
	snprintf(tmp, sizeof tmp, "%s.%d~", name, (int)getpid());
	r = address(dir, tmp, &a, e);
	if (r < 0)
		return r;
	unlinkat(dir, tmp, 0);
	/* The mode of the inode is that of the socket, so it is right before anybody can connect. */
	if (fchmod(s, 0600) < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 || fchmodat(dir, tmp, 0600, 0) < 0 ||
	    listen(s, 16) < 0 || renameat(dir, tmp, dir, name) < 0) {
		err_sys(e, errno, "listen at %s", name);
		unlinkat(dir, tmp, 0);
		return -(e ? e->code : EIO);
	}
	return take_fd(&s);
}

int sock_listen(int dir, const char *name, struct err *e)
{
	return listen_at(dir, name, SOCK_SEQPACKET, e);
}

int sock_serve(int dir, const char *name, struct err *e)
{
	return listen_at(dir, name, SOCK_STREAM, e);
}

int sock_hear(int dir, const char *name, uid_t uid, struct err *e)
{
	_fd_ int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	int r;

	if (s < 0)
		return err_sys(e, errno, "socket");
	r = address(dir, name, &a, e);
	if (r < 0)
		return r;
	if (fchmod(s, 0600) < 0 || bind(s, (struct sockaddr *)&a, sizeof a) < 0 || fchmodat(dir, name, 0600, 0) < 0 ||
	    fchownat(dir, name, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "socket %s", name);
	return take_fd(&s);
}

/* ms: for who listens to have room for one more who calls, 0 = as long as that takes. */
static int reach(const char *path, int type, int ms, struct err *e)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	_free_ char *copy1 = xstrdup(path), *copy2 = xstrdup(path);
	_fd_ int dir = open(dirname(copy1), O_PATH | O_DIRECTORY | O_CLOEXEC);
	_fd_ int s = -1;
	struct sockaddr_un a;
	int r;

	if (dir < 0)
		return err_sys(e, errno, "%s", path);
	r = address(dir, basename(copy2), &a, e);
	if (r < 0)
		return r;
	s = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (s < 0 || (ms && setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) < 0))
		return err_sys(e, errno, "socket");
	if (connect(s, (struct sockaddr *)&a, sizeof a) < 0)
		return err_sys(e, errno == EAGAIN ? ETIME : errno, "connect to %s", path);
	return take_fd(&s);
}

int sock_connect(const char *path, struct err *e)
{
	return reach(path, SOCK_SEQPACKET, 0, e);
}

int sock_call(const char *path, int ms, struct err *e)
{
	return reach(path, SOCK_STREAM, ms, e);
}

int sock_tell(const char *path, int ms, struct err *e)
{
	return reach(path, SOCK_DGRAM, ms, e);
}

ssize_t sock_send_with(int sock, const void *p, size_t n, int flags, int fd)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {0};
	struct iovec v = {(void *)(uintptr_t)p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(sock, &m, MSG_NOSIGNAL | flags);
}

int sock_send_fd(int sock, char c, int fd)
{
	return sock_send_with(sock, &c, 1, 0, fd) < 0 ? -errno : 0;
}

ssize_t sock_recv(int sock, void *p, size_t size, int *fd)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec v = {p, size};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof u.b};
	struct cmsghdr *h;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return n;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(h), sizeof *fd);
	return n;
}

int sock_recv_fd(int sock, int *fd)
{
	char c = 0;
	ssize_t n = sock_recv(sock, &c, 1, fd);

	if (n == 1)
		return c;
	own_fd(fd);
	return n < 0 ? -errno : -EPIPE;
}
