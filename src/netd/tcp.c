/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS by TCP (RFC 7766): one question at a time on each connection, answered from the table or by a connection of our own to
 * another server.
 *
 *	LENGTH → QUESTION → (ours) ─────────────────────────────▶ BACK → LENGTH
 *	                  → ASK → ANSWER_LENGTH → ANSWER ───────▶
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "netd/dns.h"
#include "netd/netd.h"

#define SECOND   1000000000ULL
#define PATIENCE (10 * SECOND)
#define STEPS    16 /* of one connection before the others are looked at */

enum state { LENGTH, QUESTION, ASK, ANSWER_LENGTH, ANSWER, BACK };

struct conn {
	struct source client; /* first: it is what epoll gives back */
	struct source up;     /* to the other server */
	struct slot slot;
	enum state state;
	struct sockaddr_storage who;
	uint64_t due;
	size_t at, want;      /* of what is read or written in this state */
	size_t nq;
	uint8_t id[2];
	uint8_t q[2 + DNS_QUERY];  /* with its length before it */
	uint8_t a[2 + 65535];
};

static struct conn conns[CONNS];

static void close_conn(struct netd *d, struct conn *c)
{
	unwatch(d, &c->client);
	unwatch(d, &c->up);
	c->slot.used = false;
}

static void enter(struct conn *c, enum state s, size_t want)
{
	c->state = s;
	c->at = 0;
	c->want = want;
}

static void back(struct conn *c, size_t n)
{
	c->a[0] = (uint8_t)(n >> 8);
	c->a[1] = (uint8_t)n;
	enter(c, BACK, n + 2);
}

static void fail(struct netd *d, struct conn *c)
{
	unwatch(d, &c->up);
	memcpy(c->q + 2, c->id, 2);
	back(c, dns_refuse(c->q + 2, c->nq, DNS_SERVFAIL, c->a + 2));
	watch_again(d, &c->client, EPOLLOUT);
}

static void upstream(struct netd *d, struct source *s);

static void ask(struct netd *d, struct conn *c)
{
	struct sockaddr_storage a;
	socklen_t n = server_address(&d->t, 0, &a);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	c->up = (struct source){.fd = fd, .ready = upstream};
	(void)!getrandom(c->q + 2, 2, 0);
	enter(c, ASK, c->nq + 2);
	if (fd < 0) {
		fail(d, c);
		return;
	}
	if (connect(fd, (void *)&a, n) < 0 && errno != EINPROGRESS) {
		close(fd);
		c->up.fd = -1;
		fail(d, c);
		return;
	}
	watch(d, &c->up, EPOLLOUT);
	watch_again(d, &c->client, 0);
}

/* More of what this state is about: 1 = all of it, 0 = the rest comes later, -1 = the other end has gone. */
static int move(struct conn *c, int fd, uint8_t *p, bool out)
{
	ssize_t n = out ? send(fd, p + c->at, c->want - c->at, MSG_NOSIGNAL) : recv(fd, p + c->at, c->want - c->at, 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	c->at += (size_t)n;
	return c->at == c->want;
}

static void question(struct netd *d, struct conn *c)
{
	struct dns_question asked;
	enum dns_what what;
	size_t n;

	c->nq = c->want;
	memcpy(c->id, c->q + 2, 2);
	if (!may_ask(d, &c->who)) {
		close_conn(d, c);
		return;
	}
	what = dns_answer(&d->t, c->q + 2, c->nq, false, c->a + 2, DNS_QUERY * 2, &n, &asked);
	if (what == DNS_DROP) {
		close_conn(d, c);
	} else if (what == DNS_ANSWER) {
		back(c, n);
		watch_again(d, &c->client, EPOLLOUT);
	} else {
		ask(d, c);
	}
}

static void upstream(struct netd *d, struct source *s)
{
	struct conn *c = (void *)((char *)s - offsetof(struct conn, up));
	int r;

	if (c->state == ASK) {
		c->q[0] = (uint8_t)(c->nq >> 8);
		c->q[1] = (uint8_t)c->nq;
		r = move(c, s->fd, c->q, true);
		if (r == 1) {
			enter(c, ANSWER_LENGTH, 2);
			watch_again(d, s, EPOLLIN);
		}
	} else if (c->state == ANSWER_LENGTH) {
		r = move(c, s->fd, c->a, false);
		if (r == 1)
			enter(c, ANSWER, (size_t)c->a[0] << 8 | c->a[1]);
		if (r == 1 && c->want < DNS_HEADER)
			r = -1;
	} else {
		r = move(c, s->fd, c->a + 2, false);
		if (r == 1 && !dns_matches(c->q + 2, c->nq, c->a + 2, c->want))
			r = -1;
		if (r == 1) {
			unwatch(d, s);
			memcpy(c->a + 2, c->id, 2);
			back(c, c->want);
			watch_again(d, &c->client, EPOLLOUT);
		}
	}
	if (r < 0)
		fail(d, c);
}

static int client_step(struct netd *d, struct conn *c)
{
	int r;

	switch (c->state) {
	case LENGTH:
		r = move(c, c->client.fd, c->q, false);
		if (r == 1) {
			enter(c, QUESTION, (size_t)c->q[0] << 8 | c->q[1]);
			if (c->want < DNS_HEADER || c->want > DNS_QUERY)
				return -1;
		}
		return r;
	case QUESTION:
		r = move(c, c->client.fd, c->q + 2, false);
		if (r == 1) {
			c->due = now_ns() + PATIENCE;
			question(d, c);
			return 0;
		}
		return r;
	case BACK:
		r = move(c, c->client.fd, c->a, true);
		if (r == 1) {
			c->due = now_ns() + PATIENCE;
			enter(c, LENGTH, 2);
			watch_again(d, &c->client, EPOLLIN);
			return 0;
		}
		return r;
	default: /* it has hung up while another server is asked */
		return -1;
	}
}

static void client(struct netd *d, struct source *s)
{
	struct conn *c = (void *)s;
	int r = 1;

	for (int i = 0; r == 1 && i < STEPS; i++)
		r = client_step(d, c);
	if (r < 0)
		close_conn(d, c);
}

void dns_accept(struct netd *d, struct source *s)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof a;
	int fd = accept4(s->fd, (void *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct slot *place;
	struct conn *c;

	if (fd < 0)
		return;
	place = d->t.dns ? slot_for(&conns[0].slot, sizeof *conns, CONNS, CONNS_OF, client_of(d, &a)) : NULL;
	if (!place) {
		close(fd);
		return;
	}
	c = (void *)((char *)place - offsetof(struct conn, slot));
	if (place->used)
		close_conn(d, c);
	c->slot = (struct slot){true, client_of(d, &a), now_ns()};
	c->who = a;
	c->due = now_ns() + PATIENCE;
	c->client = (struct source){.fd = fd, .ready = client};
	c->up = (struct source){.fd = -1, .ready = upstream};
	enter(c, LENGTH, 2);
	watch(d, &c->client, EPOLLIN);
}

bool dns_tcp_tick(struct netd *d)
{
	uint64_t t = now_ns();
	bool any = false;

	for (size_t i = 0; i < CONNS; i++) {
		if (conns[i].slot.used && conns[i].due <= t)
			close_conn(d, &conns[i]);
		any |= conns[i].slot.used;
	}
	return any;
}
