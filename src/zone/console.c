/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The person's side of a zone's console. The zone's zoneadmd serves it on a SOCK_SEQPACKET socket: one type byte, then
 * 'd' bytes, or 'w' rows and columns (two uint16_t, this machine's order). Several people may be connected.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/tty.h"
#include "zone/enter.h"
#include "zone/relay.h"

#define CONSOLE_PACKET 4096

static int console_connect(const struct ctx *c, const char *uuid, struct err *e)
{
	_fd_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/%s/console.sock", c->node.run, uuid);

	if (s < 0)
		return err_sys(e, errno, "socket");
	if (n < 0 || (size_t)n >= sizeof a.sun_path)
		return err_sys(e, ENAMETOOLONG, "%s/%s/console.sock", c->node.run, uuid);
	if (connect(s, (struct sockaddr *)&a, sizeof a) < 0) {
		n = errno;
		if (n == ENOENT || n == ECONNREFUSED)
			return err_set(e, ESRCH, "the zone has no console now: it is not running");
		return err_sys(e, n, "%s", a.sun_path);
	}
	return take_fd(&s);
}

static int send_size(int s, int tty)
{
	struct winsize w;
	uint16_t rc[2];
	char m[1 + sizeof rc] = "w";

	if (ioctl(tty, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return 0;
	rc[0] = w.ws_row;
	rc[1] = w.ws_col;
	memcpy(m + 1, rc, sizeof rc);
	return send(s, m, sizeof m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 1 the person left, 0 go on, negative: the console is gone. */
static int from_person(int s, int in, struct esc *x)
{
	char buf[CONSOLE_PACKET], m[CONSOLE_PACKET + 2] = "d";
	ssize_t n = read(in, buf, sizeof buf);
	enum esc_act act;
	size_t taken, len;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return 1;
	act = esc_feed(x, buf, (size_t)n, &taken, m + 1, &len);
	if (len && send(s, m, len + 1, MSG_NOSIGNAL) < 0)
		return -errno;
	return act == ESC_LEAVE;
}

static int from_zone(int s, int out)
{
	char m[65536];
	ssize_t n = recv(s, m, sizeof m, 0);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	if (m[0] == 'd' && n > 1 && fd_write_all(out, m + 1, (size_t)n - 1) < 0)
		return 1;
	return 0;
}

/* 0 = the person left, 1 = the zone's side closed it, 128+n = signal n. */
static int console_loop(int s, int sigfd, int in, int out, char escape)
{
	struct esc x = {.c = escape};
	int r = 0;

	send_size(s, in);
	while (r == 0) {
		struct pollfd p[3] = {{.fd = in, .events = POLLIN}, {.fd = s, .events = POLLIN}, {.fd = sigfd, .events = POLLIN}};
		struct signalfd_siginfo si;

		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return 1;
		}
		if (p[2].revents && read(sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
			if (si.ssi_signo != SIGWINCH)
				return 128 + (int)si.ssi_signo;
			r = send_size(s, in);
		}
		if (r == 0 && p[1].revents)
			r = from_zone(s, out);
		if (r == 0 && p[0].revents)
			r = from_person(s, in, &x);
	}
	return r < 0;
}

int zone_console(struct ctx *c, const char *uuid, int in, int out, char escape, struct err *e)
{
	_tty_ struct tty_saved tty = TTY_SAVED_INIT;
	_fd_ int s = console_connect(c, uuid, e), sigfd = -1;
	sigset_t old;
	int r;

	if (s < 0)
		return s;
	sigfd = relay_signals(&old, e);
	if (sigfd < 0)
		return sigfd;
	r = tty_raw(in, &tty, e);
	if (r == 0)
		r = console_loop(s, sigfd, in, out, escape);
	tty_restore(&tty);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
