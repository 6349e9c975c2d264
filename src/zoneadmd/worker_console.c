/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The console server, the first part of the worker: the pty's master, the listening socket, the clients; protocol in
 * zone/console.h. The scroll-back of a worker that was killed is taken from the log.
 *
 * The zone writes whatever it likes. It gets: a ring, a log of bounded size, clients whose queues are bounded. Reading
 * the master never waits for any of them, so a zone is never stopped by who looks at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "zone/console.h"
#include "zoneadmd/part.h"
#include "zoneadmd/ring.h"
#include "zoneadmd/zoneadmd.h"

#define CLIENTS_MAX 16
_Static_assert(CLIENTS_MAX + 2 <= PART_FDS, "the worker polls no more");
#define INPUT_MAX   4096 /* typed but not yet taken by the zone */
/*
 * What a zone may print, about 2.5 MB/s: we run, and our log is written, at the host's expense. Beyond that its writes
 * wait until the next tick, as on a slow serial line.
 */
#define TICK_NS   100000000ULL
#define TICK_MAX  (256u << 10)

struct client {
	int fd;
	uint64_t pos;  /* next byte of the stream that it gets */
	bool asked;    /* for the settings to be taken; the answer goes before all data */
	char answer;
};

struct console {
	struct ring ring;
	struct client client[CLIENTS_MAX];
	int nclients;
	char input[INPUT_MAX];
	size_t input_len;
	const char *log_dir;
	int log;
	uint64_t log_len, log_max;
	uint64_t tick; /* when it began */
	size_t taken;  /* bytes in it */
	int slave; /* held open, or the master reads as hung up whenever the zone has it closed */
};
static struct console con; /* its pages are touched as the ring fills, no sooner */

static int log_open(struct console *w, const char *name, int flags)
{
	_free_ char *path = xprintf("%s/%s", w->log_dir, name);

	return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
}

static void log_start(struct console *w)
{
	struct stat st;

	w->log = *w->log_dir ? log_open(w, "console.log", O_RDWR | O_CREAT | O_APPEND) : -1;
	w->log_len = w->log >= 0 && fstat(w->log, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void log_write(struct console *w, const char *p, size_t n)
{
	if (w->log < 0)
		return;
	if (w->log_max && w->log_len + n > w->log_max) {
		_free_ char *from = xprintf("%s/console.log", w->log_dir), *to = xprintf("%s/console.log.1", w->log_dir);

		close(w->log);
		if (rename(from, to) < 0)
			unlink(from);
		log_start(w);
	}
	/* The host's disk may be full: the log then has a gap. */
	if (w->log >= 0 && fd_write_all(w->log, p, n) == 0)
		w->log_len += n;
}

/* The scroll-back of the worker before this one. */
static void log_recall(struct console *w)
{
	char chunk[4096];
	off_t at = w->log_len > RING_SIZE ? (off_t)(w->log_len - RING_SIZE) : 0;
	ssize_t n;

	while (w->log >= 0 && (n = pread(w->log, chunk, sizeof chunk, at)) > 0) {
		ring_put(&w->ring, chunk, (size_t)n);
		at += n;
	}
}

static void slave_open(struct console *w)
{
	own_fd(&w->slave);
	w->slave = ioctl(FD_MASTER, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Up to 16 chunks, so that a zone that never stops writing does not keep clients waiting. 0 = the master is empty. */
static int master_read(struct console *w)
{
	char chunk[4096];
	ssize_t n = 0;

	for (int i = 0; i < 16; i++) {
		n = read(FD_MASTER, chunk, sizeof chunk);
		if (n <= 0)
			break;
		ring_put(&w->ring, chunk, (size_t)n);
		log_write(w, chunk, (size_t)n);
		w->taken += (size_t)n;
	}
	/* EIO: a getty has hung the line up. Opening the other end anew makes it a line again. */
	if (n < 0 && errno == EIO)
		slave_open(w);
	return n > 0;
}

static void client_drop(struct console *w, int i)
{
	close(w->client[i].fd);
	w->client[i] = w->client[--w->nclients];
}

static void client_accept(struct console *w)
{
	int fd = accept4(FD_LISTEN, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (w->nclients == CLIENTS_MAX) {
		close(fd);
		return;
	}
	w->client[w->nclients++] = (struct client){.fd = fd, .pos = ring_oldest(&w->ring)};
}

/* What it has not had yet, as far as its socket takes it. -1 = it has gone. */
static int client_send(struct console *w, struct client *c)
{
	char m[CONSOLE_PACKET];

	if (c->asked) {
		m[0] = CONSOLE_SETTINGS;
		m[1] = c->answer;
		if (send(c->fd, m, 2, MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
		c->asked = false;
	}
	if (c->pos < ring_oldest(&w->ring)) {
		m[0] = CONSOLE_LOST;
		if (send(c->fd, m, 1, MSG_NOSIGNAL) < 0)
			return errno == EAGAIN ? 0 : -1;
		c->pos = ring_oldest(&w->ring);
	}
	for (;;) {
		size_t n = ring_get(&w->ring, c->pos, m + 1, sizeof m - 1);

		if (!n)
			return 0;
		m[0] = CONSOLE_DATA;
		if (send(c->fd, m, n + 1, MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
		c->pos += n;
	}
}

static int client_recv(struct console *w, struct client *c)
{
	char m[2 * CONSOLE_PACKET];
	struct console_size s;
	ssize_t n = recv(c->fd, m, sizeof m, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	if (m[0] == CONSOLE_DATA) {
		size_t len = (size_t)n - 1, room = INPUT_MAX - w->input_len;

		memcpy(w->input + w->input_len, m + 1, len < room ? len : room);
		w->input_len += len < room ? len : room;
	} else if (m[0] == CONSOLE_SIZE && (size_t)n == 1 + sizeof s) {
		memcpy(&s, m + 1, sizeof s);
		ioctl(FD_MASTER, TIOCSWINSZ, &(struct winsize){.ws_row = s.rows, .ws_col = s.cols});
	} else if (m[0] == CONSOLE_SETTINGS && n == 1) {
		c->answer = (char)-worker_settings();
		c->asked = true;
	}
	return 0;
}

static void input_write(struct console *w)
{
	ssize_t n = write(FD_MASTER, w->input, w->input_len);

	if (n <= 0)
		return;
	w->input_len -= (size_t)n;
	memmove(w->input, w->input + n, w->input_len);
}

static bool full(const struct console *w)
{
	return w->taken >= TICK_MAX;
}

/* What can make progress, only that. */
static int console_poll(struct pollfd *p)
{
	struct console *w = &con;

	p[0] = (struct pollfd){.fd = full(w) && !w->input_len ? -1 : FD_MASTER,
			       .events = (short)((full(w) ? 0 : POLLIN) | (w->input_len ? POLLOUT : 0))};
	p[1] = (struct pollfd){.fd = FD_LISTEN, .events = POLLIN};
	for (int i = 0; i < w->nclients; i++)
		p[2 + i] = (struct pollfd){
			.fd = w->client[i].fd,
			.events = (short)((w->input_len < INPUT_MAX ? POLLIN : 0) | (w->client[i].asked || w->client[i].pos < w->ring.end ? POLLOUT : 0)),
		};
	return 2 + w->nclients;
}

static void console_ready(const struct pollfd *p, int n, uint64_t now)
{
	struct console *w = &con;

	if (now - w->tick >= TICK_NS) {
		w->tick = now;
		w->taken = 0;
	}
	if (p[0].revents & POLLOUT)
		input_write(w);
	if (!full(w) && p[0].revents & (POLLIN | POLLHUP | POLLERR))
		master_read(w);
	for (int i = n - 3; i >= 0; i--) {
		int r = 0;

		if (p[2 + i].revents & (POLLIN | POLLHUP | POLLERR))
			r = client_recv(w, &w->client[i]);
		if (r == 0)
			r = client_send(w, &w->client[i]);
		if (r < 0)
			client_drop(w, i);
	}
	if (p[1].revents)
		client_accept(w);
}

static uint64_t console_due(void)
{
	return full(&con) ? con.tick + TICK_NS : 0;
}

static int console_start(const struct worker *k)
{
	struct console *w = &con;

	w->log_dir = k->log_dir;
	w->log_max = k->log_max;
	w->slave = -1;
	log_start(w);
	log_recall(w);
	slave_open(w);
	return 0;
}

/* What the zone said last is still in the pty. */
static void console_end(void)
{
	struct console *w = &con;

	own_fd(&w->slave);
	while (master_read(w) && w->slave < 0)
		;
	for (int i = 0; i < w->nclients; i++)
		client_send(w, &w->client[i]);
}

const struct part part_console = {
	.name = "console", .start = console_start, .poll = console_poll, .ready = console_ready, .due = console_due, .end = console_end,
};
