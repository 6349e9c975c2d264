/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections of one zone, or the one line of a guest: what comes is cut into lines, each is a request, the end with rights
 * answers it (mdata/ask.h), the answer goes back. One after the other: a zone that asks much waits for itself.
 *
 * It has a share of a processor for all that its zone asks (base/share.h), and of memory: a connection's next request is looked at when
 * the answer to the one before has gone, and none of anybody's while more than OUT_MAX waits to be read.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/share.h"
#include "mdata/ask.h"
#include "mdatad/mdatad.h"

#define CONNS_MAX 16
#define CHUNK     16384
#define OUT_MAX   (1u << 20)
#define ROUND     8                /* requests of one connection before the others have their turn */
#define IDLE_NS   10000000000ULL   /* nothing asked: we are not needed */
#define STUCK_NS  30000000000ULL   /* an answer that nobody reads, a line that does not end */
#define SAID_MAX  (16u << 20)      /* more than any record has */

struct conn {
	int fd;
	struct buf in, out;
	size_t sent;     /* of out */
	bool over;       /* in a line that is too long */
	uint64_t moved;  /* when anything last came or went */
};

static struct conn conns[CONNS_MAX];
static int nconns;
static struct share share;
static uint64_t asked; /* when the last request came */

static bool waiting(const struct conn *c)
{
	return c->sent < c->out.len;
}

static size_t unread(void)
{
	size_t n = 0;

	for (int i = 0; i < nconns; i++)
		n += conns[i].out.len - conns[i].sent;
	return n;
}

static void drop(int i)
{
	close(conns[i].fd);
	buf_done(&conns[i].in);
	buf_done(&conns[i].out);
	conns[i] = conns[--nconns];
}

/* ---- the end with rights ---- */

static int ask_all(const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t k = send(MDATAD_ASK, at, n, MSG_NOSIGNAL);

		if (k < 0 && errno != EINTR)
			return -1;
		if (k > 0)
			at += k, n -= (size_t)k;
	}
	return 0;
}

static int hear_all(void *p, size_t n)
{
	for (char *at = p; n;) {
		ssize_t k = recv(MDATAD_ASK, at, n, 0);

		if (k == 0 || (k < 0 && errno != EINTR))
			return -1;
		if (k > 0)
			at += k, n -= (size_t)k;
	}
	return 0;
}

/* Without it there is nothing that we could say: whoever comes next finds another pair. */
static void ask(const struct mdata_request *r, struct buf *out)
{
	struct mdata_ask q = {(uint32_t)r->op, (uint32_t)r->key_len, (uint32_t)r->value_len};
	struct mdata_said a;
	_free_ char *text = NULL;

	if (r->op == MDATA_KEYS)
		q.key_len = 0;
	if (r->op != MDATA_PUT)
		q.value_len = 0;
	if (ask_all(&q, sizeof q) < 0 || ask_all(r->key, q.key_len) < 0 || ask_all(r->value, q.value_len) < 0 || hear_all(&a, sizeof a) < 0 ||
	    a.len > SAID_MAX || a.status > MDATA_FAILURE)
		exit(1);
	text = xalloc(a.len + 1);
	if (hear_all(text, a.len) < 0)
		exit(1);
	share.left -= (int64_t)a.used_ns;
	mdata_answer(r, (enum mdata_status)a.status, text, a.len, out);
}

/* ---- a connection ---- */

static void one(struct conn *c, char *line, size_t n)
{
	struct mdata_request r;

	mdata_request(line, n, &r);
	if (r.op >= MDATA_GET)
		ask(&r, &c->out);
	else
		mdata_answer(&r, MDATA_FAILURE, NULL, 0, &c->out);
}

/* true = there is a line. */
static bool next_line(struct conn *c)
{
	char *nl = c->in.len ? memchr(c->in.p, '\n', c->in.len) : NULL;
	size_t n = nl ? (size_t)(nl - c->in.p) : 0;

	if (!nl && c->in.len > MDATA_LINE_MAX) {
		c->over = true;
		buf_done(&c->in);
	}
	if (!nl)
		return false;
	if (c->over)
		one(c, (char *)"?", 1); /* its end: no command */
	else
		one(c, c->in.p, n);
	c->over = false;
	c->in.len -= n + 1;
	memmove(c->in.p, nl + 1, c->in.len);
	if (!c->in.len)
		buf_done(&c->in);
	return true;
}

/* -1 = it has gone. */
static int send_out(struct conn *c, uint64_t now)
{
	while (waiting(c)) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN ? 0 : errno == EINTR ? 0 : -1;
		c->sent += (size_t)n;
		c->moved = now;
	}
	buf_done(&c->out);
	c->sent = 0;
	return 0;
}

static int take_in(struct conn *c, uint64_t now)
{
	char chunk[CHUNK];
	ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	buf_add(&c->in, chunk, (size_t)n);
	c->moved = asked = now;
	return 0;
}

static int turn_of(struct conn *c, const struct pollfd *p, uint64_t now)
{
	int r = waiting(c) ? send_out(c, now) : 0;

	if (r == 0 && p->events & POLLIN && p->revents & (POLLIN | POLLHUP | POLLERR))
		r = take_in(c, now);
	else if (r == 0 && p->revents & (POLLHUP | POLLERR) && !(p->revents & POLLIN))
		r = -1;
	for (int i = 0; r == 0 && i < ROUND && !waiting(c) && share.left > 0 && unread() < OUT_MAX && next_line(c); i++)
		r = send_out(c, now);
	if (r == 0 && (waiting(c) || c->in.len) && now > c->moved + STUCK_NS)
		r = -1;
	return r;
}

/* ---- all of them ---- */

/* A whole line is there that was not its turn: nothing need come for it to go on. */
static bool behind(const struct conn *c)
{
	return !waiting(c) && c->in.len && memchr(c->in.p, '\n', c->in.len);
}

static int patience(uint64_t now)
{
	uint64_t until = asked + IDLE_NS;

	for (int i = 0; i < nconns; i++) {
		if (behind(&conns[i]) && share.left > 0 && unread() < OUT_MAX)
			return 0;
		if ((waiting(&conns[i]) || conns[i].in.len) && conns[i].moved + STUCK_NS < until)
			until = conns[i].moved + STUCK_NS;
	}
	if (share.left <= 0 && share_due(&share) < until)
		until = share_due(&share);
	return until <= now ? 1 : (int)((until - now) / 1000000) + 1;
}

static void take_connection(void)
{
	int fd = accept4(MDATAD_SOURCE, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	asked = clock_mono_ns();
	conns[nconns++] = (struct conn){.fd = fd, .moved = asked};
}

static bool idle(uint64_t now)
{
	if (now < asked + IDLE_NS)
		return false;
	for (int i = 0; i < nconns; i++)
		if (waiting(&conns[i]) || behind(&conns[i]))
			return false;
	return true;
}

int serve(bool listening)
{
	uint64_t now = clock_mono_ns(), before = share_clock(), t;

	asked = now;
	share = (struct share){.left = SHARE_SAVED, .filled = now};
	if (!listening)
		conns[nconns++] = (struct conn){.fd = MDATAD_SOURCE, .moved = now};
	while (!idle(now) && (listening || nconns)) {
		struct pollfd p[2 + CONNS_MAX];
		bool take = share.left > 0 && unread() < OUT_MAX;
		int n = nconns;

		p[0] = (struct pollfd){.fd = listening && share.left > 0 && nconns < CONNS_MAX ? MDATAD_SOURCE : -1, .events = POLLIN};
		for (int i = 0; i < n; i++)
			p[2 + i] = (struct pollfd){
				.fd = take || waiting(&conns[i]) ? conns[i].fd : -1,
				.events = (short)(waiting(&conns[i]) ? POLLOUT : take && !behind(&conns[i]) ? POLLIN : 0),
			};
		p[1] = (struct pollfd){.fd = MDATAD_ASK}; /* nothing comes but an answer, or its end */
		if ((poll(p, (nfds_t)(2 + n), patience(now)) < 0 && errno != EINTR) || p[1].revents)
			return 1;
		now = clock_mono_ns();
		share_refill(&share, now);
		for (int i = n - 1; i >= 0; i--)
			if (turn_of(&conns[i], &p[2 + i], now) < 0)
				drop(i);
		if (p[0].revents)
			take_connection();
		t = share_clock();
		share.left -= (int64_t)(t - before);
		before = t;
	}
	return 0;
}
