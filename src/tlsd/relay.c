/* SPDX-License-Identifier: MPL-2.0 */
/*
 *	plain socket ── out ──▶ TLS records ──▶ net
 *	plain socket ◀── in ─── TLS records ◀── net
 *
 * One buffer a direction: who does not read holds the other up, and no more. A descriptor that comes beside bytes on the plain socket takes
 * that socket's place when these bytes have gone out: so the end of a connection is put into a monitor's hands, and nobody stands between.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kern/sock.h"
#include "tlsd/tlsd.h"

#define ROOM (256u << 10)
#define RECORDS 256
#define LINGER_MS 10000 /* nobody is here any more: for the other to take what was said last */

struct way {
	char b[ROOM];
	size_t at, len;
	bool end;  /* its source has said that there is no more */
	bool told; /* and its destination has been told */
};

/* Records as they are on the net: a call to the kernel for each would cost more than the cipher does. */
struct wire {
	char b[ROOM];
	size_t at, len;
};

struct relay {
	gnutls_session_t s;
	int plain, next; /* next: what takes plain's place, -1 = nothing */
	struct way out, in;
	struct wire sent, read;
	bool want_write; /* of the net: a record is not written yet */
	bool drained;    /* the net has been read until it had no more */
	bool gone;       /* nobody is at the plain socket any more: what still comes is for nobody */
	uint64_t until;  /* then: when it ends, 0 = not yet said */
};

static struct relay r = {.plain = TLSD_PLAIN, .next = -1};

static bool again(ssize_t n)
{
	return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
}

/* ---- the net, many records at a time ---- */

static ssize_t pull(gnutls_transport_ptr_t p, void *to, size_t n)
{
	struct wire *w = &r.read;

	if (w->at == w->len) {
		ssize_t k = recv(TLSD_NET, w->b, ROOM, 0);

		r.drained = k < 0 && errno == EAGAIN;
		if (k <= 0)
			return k;
		w->at = 0;
		w->len = (size_t)k;
	}
	n = n < w->len - w->at ? n : w->len - w->at;
	memcpy(to, w->b + w->at, n);
	w->at += n;
	return (ssize_t)n;
}

/* 0, 1: the net takes no more for now; -1. */
static int flush(void)
{
	struct wire *w = &r.sent;

	while (w->at < w->len) {
		ssize_t k = send(TLSD_NET, w->b + w->at, w->len - w->at, MSG_NOSIGNAL);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return errno == EAGAIN ? 1 : -1;
		w->at += (size_t)k;
		r.until = 0;
	}
	w->at = w->len = 0;
	return 0;
}

static ssize_t push(gnutls_transport_ptr_t p, const void *from, size_t n)
{
	struct wire *w = &r.sent;

	if (w->len + n > ROOM) {
		if (flush() < 0)
			return -1;
		memmove(w->b, w->b + w->at, w->len - w->at);
		w->len -= w->at;
		w->at = 0;
	}
	if (w->len == ROOM) {
		errno = EAGAIN;
		return -1;
	}
	n = n < ROOM - w->len ? n : ROOM - w->len;
	memcpy(w->b + w->len, from, n);
	w->len += n;
	return (ssize_t)n;
}

/* ---- both ways ---- */

/* 0, or -1: it is over. */
static int from_plain(void)
{
	ssize_t n;
	int fd = -1;

	if (r.out.len || r.out.end)
		return 0;
	n = sock_recv(r.plain, r.out.b, ROOM, &fd);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	r.next = fd;
	r.out.len = (size_t)n;
	r.out.end = n == 0;
	return 0;
}

static int records(void)
{
	while (r.out.at < r.out.len) {
		ssize_t n = gnutls_record_send(r.s, r.out.b + r.out.at, r.out.len - r.out.at);

		if (again(n)) {
			r.want_write = true;
			return 0;
		}
		if (n <= 0)
			return -1;
		r.out.at += (size_t)n;
	}
	r.out.at = r.out.len = 0;
	if (r.next >= 0) {
		close(r.plain);
		r.plain = r.next;
		r.next = -1;
	}
	if (r.out.end && !r.out.told) {
		ssize_t n = gnutls_bye(r.s, GNUTLS_SHUT_WR);

		if (again(n)) {
			r.want_write = true;
			return 0;
		}
		r.out.told = true;
		return n < 0 ? -1 : 0;
	}
	return 0;
}

static int to_net(void)
{
	int k;

	r.want_write = false;
	if (records() < 0)
		return -1;
	k = flush();
	r.want_write |= k == 1;
	return k < 0 ? -1 : 0;
}

/* An end without a word of goodbye is a cut, and no end. Records without content are many at most, and then the other way has its turn. */
static int from_net(void)
{
	if (r.in.len || r.in.end)
		return 0;
	for (int i = 0; i < RECORDS && r.in.len < ROOM; i++) {
		ssize_t n = gnutls_record_recv(r.s, r.in.b + r.in.len, ROOM - r.in.len);

		/* what came whole ahead of a cut goes on */
		if (n < 0 && gnutls_error_is_fatal((int)n))
			return r.in.len ? 0 : -1;
		if (n < 0 && r.drained)
			return 0;
		if (n < 0)
			continue;
		r.in.len += (size_t)n;
		r.in.end = n == 0;
		if (r.in.end)
			return 0;
	}
	return 0;
}

static int to_plain(void)
{
	while (r.in.at < r.in.len && !r.gone) {
		ssize_t n = send(r.plain, r.in.b + r.in.at, r.in.len - r.in.at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0) {
			r.gone = true;
			break;
		}
		r.in.at += (size_t)n;
	}
	r.in.at = r.in.len = 0;
	if (r.in.end && !r.in.told) {
		r.in.told = true;
		shutdown(r.plain, SHUT_WR);
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Milliseconds, -1 = without end. Who is at the other end may be in no hurry to say goodbye, and this process is one of a table's. */
static int patience(void)
{
	uint64_t now = r.gone ? now_ms() : 0;

	if (r.gone && !r.until)
		r.until = now + LINGER_MS;
	/* what has been read from the net and not asked for yet wakes nobody up */
	if (!r.in.len && !r.in.end && !r.drained)
		return 0;
	return !r.gone ? -1 : r.until > now ? (int)(r.until - now) : 0;
}

static int turn(void)
{
	struct pollfd p[2] = {{.fd = r.plain}, {.fd = TLSD_NET}};

	p[0].events = (short)((!r.out.len && !r.out.end ? POLLIN : 0) | (r.in.len ? POLLOUT : 0));
	p[1].events = (short)((!r.in.len && !r.in.end ? POLLIN : 0) | (r.want_write ? POLLOUT : 0));
	/* an end that hangs up says so without being asked, again and again, while the other is waited for */
	if (r.gone || (!p[0].events && r.out.len))
		p[0].fd = -1;
	if (!p[1].events && r.in.len)
		p[1].fd = -1;
	if (poll(p, 2, patience()) < 0 && errno != EINTR)
		return -1;
	if (r.gone && r.until && now_ms() >= r.until)
		return -1;
	/* all that it had to say has been read: it hears nothing either */
	if ((p[0].revents & (POLLHUP | POLLERR)) && r.out.end)
		r.gone = true;
	if ((p[1].revents & POLLERR) && !(p[1].revents & POLLIN))
		return -1;
	if (from_net() < 0 || to_plain() < 0)
		return -1;
	return from_plain() < 0 || to_net() < 0 ? -1 : 0;
}

int relay(gnutls_session_t s)
{
	r.s = s;
	gnutls_transport_set_pull_function(s, pull);
	gnutls_transport_set_push_function(s, push);
	while (!(r.out.told && r.in.told && !r.sent.len))
		if (turn() < 0)
			return 1;
	return 0;
}
