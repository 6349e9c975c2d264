/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"

/*
 * A write to a descriptor that is not ours must not be made non-blocking (others share it), so it is only done after
 * POLLOUT and in pieces that a pipe then takes whole.
 */
#define PIECE 4096
/* More than a pipe or a terminal holds: an orphan that writes for ever must not keep us. */
#define DRAIN_MAX (1u << 20)

enum esc_act esc_feed(struct esc *x, const char *in, size_t n, size_t *taken, char *out, size_t *len)
{
	size_t k = 0, i = 0;
	enum esc_act act = ESC_NONE;

	for (; i < n && act == ESC_NONE; i++) {
		char c = in[i];

		if (x->pending) {
			x->pending = false;
			if (c == '.' || c == 0x1a) {
				act = c == '.' ? ESC_LEAVE : ESC_SUSPEND;
				x->begun = false;
				continue;
			}
			if (c != x->c)
				out[k++] = x->c;
		} else if (x->c && c == x->c && !x->begun) {
			x->pending = true;
			continue;
		}
		out[k++] = c;
		x->begun = c != '\r' && c != '\n';
	}
	*taken = i;
	*len = k;
	return act;
}

int relay_signals(sigset_t *old, struct err *e)
{
	sigset_t s;
	int fd;

	sigemptyset(&s);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGHUP);
	sigaddset(&s, SIGQUIT);
	sigaddset(&s, SIGWINCH);
	sigaddset(&s, SIGCHLD);
	fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, "signalfd");
	sigprocmask(SIG_BLOCK, &s, old);
	return fd;
}

/* This way carries nothing any more. Only the zone's end is ours to close: it tells the program (end of file, EPIPE). */
static void way_end(struct relay *r, struct relay_way *w)
{
	int *ours = w->inward ? &w->to : &w->from;

	if (*ours >= 0 && *ours != r->master)
		close(*ours);
	w->from = w->to = -1;
	w->len = 0;
}

static void way_read(struct relay *r, struct relay_way *w, bool *left, bool *suspend)
{
	char in[RELAY_BUF - 8];
	size_t taken;
	ssize_t n;

	if (!w->buf)
		w->buf = xalloc(RELAY_BUF);
	n = read(w->from, w->inward ? in : w->buf, sizeof in);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		if (w->inward && r->master >= 0) {
			/* a terminal has no end of file but ^D; a terminal of the person's that hung up takes us along */
			if (r->tty && r->tty->on) {
				*left = true;
			} else {
				w->buf[0] = 4;
				w->at = 0;
				w->len = 1;
			}
			w->from = -1;
		} else {
			way_end(r, w);
		}
		return;
	}
	w->at = 0;
	w->len = (size_t)n;
	if (!w->inward)
		return;
	switch (esc_feed(&r->esc, in, (size_t)n, &taken, w->buf, &w->len)) {
	case ESC_LEAVE:
		*left = true;
		break;
	case ESC_SUSPEND:
		*suspend = true;
		break;
	case ESC_NONE:
		break;
	}
}

static void way_write(struct relay *r, struct relay_way *w)
{
	size_t n = w->len < PIECE ? w->len : PIECE;
	ssize_t k = write(w->to, w->buf + w->at, n);

	if (k < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (k < 0) {
		way_end(r, w);
		return;
	}
	w->at += (size_t)k;
	w->len -= (size_t)k;
	if (w->len == 0 && w->from < 0)
		way_end(r, w);
}

void relay_done(struct relay *r)
{
	for (size_t i = 0; i < r->nways; i++) {
		way_end(r, &r->way[i]);
		free(r->way[i].buf);
		r->way[i].buf = NULL;
	}
}

/* 0, or the signal that ends us. */
static int take_signals(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGCHLD)
			continue;
		if (sig == SIGWINCH) {
			if (r->master >= 0)
				tty_copy_size(r->tty_in, r->master);
			continue;
		}
		if (r->master >= 0 || r->pid == 0)
			return sig;
		/* before its setsid() it is in no group of its own yet */
		if (kill(-r->pid, sig) < 0)
			kill(r->pid, sig);
	}
	return 0;
}

static void suspend_us(struct relay *r)
{
	if (!r->tty || !r->tty->on)
		return;
	tty_restore(r->tty);
	kill(getpid(), SIGSTOP);
	tty_raw(r->tty_in, r->tty, NULL);
	tty_copy_size(r->tty_in, r->master);
}

/* What the program had written when it ended is still delivered; what its orphans write later is not. */
static void drain(struct relay *r)
{
	for (size_t i = 0; i < r->nways; i++) {
		struct relay_way *w = &r->way[i];
		bool left = false, suspend = false;

		if (w->inward) {
			way_end(r, w);
			continue;
		}
		for (size_t seen = 0; w->to >= 0 && seen < DRAIN_MAX;) {
			struct pollfd p = {.fd = w->len ? w->to : w->from, .events = w->len ? POLLOUT : POLLIN};

			if (poll(&p, 1, w->len ? -1 : 0) == 0)
				break;
			if (w->len) {
				way_write(r, w);
			} else {
				way_read(r, w, &left, &suspend);
				seen += w->len;
			}
		}
		way_end(r, w);
	}
}

int relay_run(struct relay *r, bool *left, struct err *e)
{
	*left = false;
	for (;;) {
		struct pollfd p[5];
		nfds_t n = 2;
		bool leave = false, suspend = false;
		int sig;

		p[0] = (struct pollfd){.fd = r->pidfd, .events = POLLIN};
		p[1] = (struct pollfd){.fd = r->sigfd, .events = POLLIN};
		for (size_t i = 0; i < r->nways; i++, n++) {
			struct relay_way *w = &r->way[i];

			p[n] = (struct pollfd){.fd = w->len ? w->to : w->from, .events = w->len ? POLLOUT : POLLIN};
		}
		if (poll(p, n, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "poll");
		}
		if (p[1].revents && (sig = take_signals(r))) {
			*left = true;
			return 128 + sig;
		}
		for (size_t i = 0; i < r->nways; i++) {
			struct relay_way *w = &r->way[i];

			if (!p[2 + i].revents)
				continue;
			if (w->len)
				way_write(r, w);
			else if (w->from >= 0)
				way_read(r, w, &leave, &suspend);
		}
		if (leave) {
			*left = true;
			return 0;
		}
		if (suspend)
			suspend_us(r);
		if (p[0].revents) {
			drain(r);
			return 0;
		}
	}
}

int relay_reap(struct relay *r, int *status)
{
	for (;;) {
		struct pollfd p = {.fd = r->sigfd, .events = POLLIN};
		struct signalfd_siginfo si;
		pid_t got = waitpid(r->pid, status, WNOHANG);

		if (got > 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		/* SIGCHLD comes when the tracer lets go */
		if (poll(&p, 1, -1) == 1 && read(r->sigfd, &si, sizeof si) == (ssize_t)sizeof si && si.ssi_signo != SIGCHLD &&
		    si.ssi_signo != SIGWINCH)
			return 128 + (int)si.ssi_signo;
	}
}
