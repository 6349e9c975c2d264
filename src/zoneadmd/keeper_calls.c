/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Listeners of system calls in the keeper's hands. A login sends its own to FD_CALLS and goes on: the message waits there
 * for us, so nothing is lost whoever is killed when. The worker gets those that there are by inheritance, and those that come
 * later over its socket. When the last process of a login has ended its listener hangs up, and is closed.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/sock.h"
#include "zoneadmd/zoneadmd.h"

static int ends = -1;    /* epoll: none of it is asked for anything, but ends are always told */
static int untold = -1;  /* of which the worker has not heard yet; it will know it by birth if it dies before */

static size_t kept, room;

/* A zone may keep each login's alive for ever by a process that stays: past the room there is, its calls get ENOSYS. */
#define SPARE_FDS 128

static void watch(int fd, void *arg)
{
	struct epoll_event ev = {.events = 0, .data.fd = fd};

	/* the worker is to have it: what is open across exec is */
	if (kept >= room || fd_cloexec(fd, 0) < 0 || epoll_ctl(ends, EPOLL_CTL_ADD, fd, &ev) < 0)
		*(int *)arg = -EMFILE;
	else
		kept++;
}

void kept_start(void)
{
	struct rlimit l = {0};
	int r = 0;

	/* the worker inherits it, and has as many open */
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
		getrlimit(RLIMIT_NOFILE, &l);
	}
	room = l.rlim_cur > SPARE_FDS ? l.rlim_cur - SPARE_FDS : 0;

	ends = epoll_create1(EPOLL_CLOEXEC);
	if (ends >= 0)
		listeners_each(0, watch, &r);
}

void kept_poll(struct pollfd *p, int control)
{
	if (control < 0)
		untold = -1;
	p[0] = (struct pollfd){.fd = ends, .events = POLLIN};
	p[1] = (struct pollfd){.fd = untold < 0 ? FD_CALLS : -1, .events = POLLIN};
	p[2] = (struct pollfd){.fd = untold < 0 ? -1 : control, .events = POLLOUT};
}

static void let_go(void)
{
	struct epoll_event ev[16];
	int n = epoll_wait(ends, ev, 16, 0);

	for (int i = 0; i < n; i++) {
		epoll_ctl(ends, EPOLL_CTL_DEL, ev[i].data.fd, NULL);
		close(ev[i].data.fd);
		kept--;
		if (ev[i].data.fd == untold)
			untold = -1;
	}
}

static void tell(int control)
{
	if (control < 0 || sock_send_fd(control, 'n', untold) != -EAGAIN)
		untold = -1;
}

void kept_ready(const struct pollfd *p, int control)
{
	int fd, r = 0;

	if (p[1].revents && sock_recv_fd(FD_CALLS, &fd) >= 0 && fd >= 0) {
		fd = fd_up(fd);
		if (fd < 0)
			r = fd;
		else
			watch(fd, &r);
		if (r == 0) {
			untold = fd;
			tell(control);
		} else {
			own_fd(&fd);
		}
	}
	if (p[2].revents && untold >= 0)
		tell(control);
	if (p[0].revents)
		let_go();
}
