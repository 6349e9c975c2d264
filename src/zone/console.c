/* SPDX-License-Identifier: MPL-2.0 */
/* The person's side of a zone's console; the zone's zoneadmd is the other (console.h). Several may be connected. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/sock.h"
#include "kern/tty.h"
#include "zone/console.h"
#include "zone/enter.h"
#include "zone/relay.h"

static int console_connect(const struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" CONSOLE_SOCK, c->node.run, uuid);
	int s = sock_connect(path, e);

	if (s == -ENOENT || s == -ECONNREFUSED)
		return err_set(e, ESRCH, "the zone has no console now: it is not running");
	return s;
}

static int send_size(int s, int tty)
{
	struct winsize w;
	struct console_size size;
	char m[1 + sizeof size] = {CONSOLE_SIZE};

	if (ioctl(tty, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return 0;
	size.rows = w.ws_row;
	size.cols = w.ws_col;
	memcpy(m + 1, &size, sizeof size);
	return send(s, m, sizeof m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 1 the person left, 0 go on, negative: the console is gone. */
static int from_person(int s, int in, struct esc *x)
{
	/* room for the type byte, and for an escape character that was held back */
	char buf[CONSOLE_PACKET - 2], m[CONSOLE_PACKET] = {CONSOLE_DATA};
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
	static const char lost[] = "\r\n[NOTICE: some output was lost]\r\n";
	char m[CONSOLE_PACKET];
	ssize_t n = recv(s, m, sizeof m, 0);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	if (m[0] == CONSOLE_LOST && fd_write_all(out, lost, strlen(lost)) < 0)
		return 1;
	if (m[0] == CONSOLE_DATA && n > 1 && fd_write_all(out, m + 1, (size_t)n - 1) < 0)
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
			if (si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCHLD)
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
