/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS by UDP. What isn't a zone's name is sent on, from a socket of its own with a port and an id that nobody can foresee;
 * the answer must come from whom was asked, with that id and the very question.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "netd/dns.h"
#include "netd/netd.h"

#define SECOND  1000000000ULL
#define BATCH   32
#define PATIENCE (2 * SECOND) /* with one server */

struct query {
	struct source s; /* first: it is what epoll gives back */
	struct slot slot;
	uint8_t q[DNS_QUERY]; /* as it is sent on */
	size_t n, room;
	uint8_t id[2];        /* the client's */
	struct peer client;
	int via;              /* the socket that it came by */
	size_t server;        /* which is asked now */
	uint64_t due;
};

static struct query queries[QUERIES];

static void reply(int fd, struct peer *to, const uint8_t *p, size_t n)
{
	struct iovec v = {(void *)(uintptr_t)p, n};
	struct msghdr m = {.msg_name = &to->a, .msg_namelen = to->n, .msg_iov = &v, .msg_iovlen = 1, .msg_control = to->nat ? to->at.bytes : NULL, .msg_controllen = to->nat};

	sendmsg(fd, &m, 0);
}

static void finish(struct netd *d, struct query *q)
{
	unwatch(d, &q->s);
	q->slot.used = false;
}

static void fail(struct netd *d, struct query *q)
{
	uint8_t out[DNS_QUERY];
	size_t n;

	memcpy(q->q, q->id, 2);
	n = dns_refuse(q->q, q->n, DNS_SERVFAIL, out);
	reply(q->via, &q->client, out, n);
	finish(d, q);
}

/* An answer that is none is as if nothing had come: whoever sent it does not end the wait for the true one. */
static void answered(struct netd *d, struct source *s)
{
	struct query *q = (void *)s;
	uint8_t a[4096];
	ssize_t n = recv(s->fd, a, sizeof a, MSG_TRUNC);

	if (n < 0 && errno != EAGAIN) { /* nobody there: the next one, soon */
		q->due = 0;
		return;
	}
	if (n < DNS_HEADER || !dns_matches(q->q, q->n, a, n > (ssize_t)sizeof a ? sizeof a : (size_t)n))
		return;
	memcpy(a, q->id, 2);
	if ((size_t)n > sizeof a || (size_t)n > q->room) { /* by TCP, then */
		n = (ssize_t)dns_refuse(q->q, q->n, DNS_NOERROR, a);
		memcpy(a, q->id, 2);
		a[2] |= 2;
	}
	reply(q->via, &q->client, a, (size_t)n);
	finish(d, q);
}

/* To the next server of the list; false: there is none. */
static bool ask(struct netd *d, struct query *q)
{
	struct sockaddr_storage a;
	socklen_t n;

	unwatch(d, &q->s);
	for (; q->server < d->t.nforward; q->server++) {
		n = server_address(&d->t, q->server, &a);
		q->s.fd = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (q->s.fd < 0)
			return false;
		(void)!getrandom(q->q, 2, 0);
		if (connect(q->s.fd, (void *)&a, n) == 0 && send(q->s.fd, q->q, q->n, 0) == (ssize_t)q->n) {
			watch(d, &q->s, EPOLLIN);
			q->server++;
			q->due = now_ns() + PATIENCE;
			return true;
		}
		close(q->s.fd);
		q->s.fd = -1;
	}
	return false;
}

static void forward(struct netd *d, int via, const struct peer *from, const uint8_t *p, size_t n, const struct dns_question *asked)
{
	uint64_t who = client_of(d, &from->a);
	struct slot *place = slot_for(&queries[0].slot, sizeof *queries, QUERIES, QUERIES_OF, who);
	struct query *q;

	if (!place)
		return; /* it will ask again */
	q = (void *)((char *)place - offsetof(struct query, slot));
	if (place->used)
		finish(d, q);
	*q = (struct query){.s = {.fd = -1, .ready = answered}, .slot = {true, who, now_ns()}, .n = n, .room = asked->room, .client = *from, .via = via};
	memcpy(q->q, p, n);
	memcpy(q->id, p, 2);
	if (!ask(d, q))
		fail(d, q);
}

bool dns_udp_tick(struct netd *d)
{
	uint64_t t = now_ns();
	bool any = false;

	for (size_t i = 0; i < QUERIES; i++) {
		struct query *q = &queries[i];

		if (q->slot.used && q->due <= t && !ask(d, q))
			fail(d, q);
		any |= q->slot.used;
	}
	return any;
}

void dns_udp(struct netd *d, struct source *s)
{
	for (int i = 0; i < BATCH; i++) {
		struct peer from = {.n = sizeof from.a};
		uint8_t p[DNS_QUERY + 1], out[DNS_LARGE];
		struct iovec v = {p, sizeof p};
		struct msghdr m = {.msg_name = &from.a, .msg_namelen = sizeof from.a, .msg_iov = &v, .msg_iovlen = 1, .msg_control = from.at.bytes, .msg_controllen = sizeof from.at};
		struct dns_question asked;
		ssize_t got = recvmsg(s->fd, &m, 0);
		enum dns_what what;
		size_t n;

		if (got < 0)
			return;
		from.n = m.msg_namelen;
		from.nat = m.msg_controllen;
		if (!may_ask(d, &from.a))
			continue;
		what = dns_answer(&d->t, p, (size_t)got, true, out, sizeof out, &n, &asked);
		if (what == DNS_ANSWER)
			reply(s->fd, &from, out, n);
		else if (what == DNS_FORWARD)
			forward(d, s->fd, &from, p, (size_t)got, &asked);
	}
}
