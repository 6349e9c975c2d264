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
#define LINGER_MS 10000 /* nobody is here any more: for the other to take what was said last */

struct way {
	char b[ROOM];
	size_t at, len;
	bool end;  /* its source has said that there is no more */
	bool told; /* and its destination has been told */
};

struct relay {
	gnutls_session_t s;
	int plain, next; /* next: what takes plain's place, -1 = nothing */
	struct way out, in;
	bool want_write; /* of the net: a record is half written */
	bool gone;       /* nobody is at the plain socket any more: what still comes is for nobody */
	uint64_t until;  /* then: when it ends, 0 = not yet said */
};

static struct relay r = {.plain = TLSD_PLAIN, .next = -1};

static bool again(ssize_t n)
{
	return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
}

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

static int to_net(void)
{
	r.want_write = false;
	while (r.out.at < r.out.len) {
		ssize_t n = gnutls_record_send(r.s, r.out.b + r.out.at, r.out.len - r.out.at);

		if (again(n)) {
			r.want_write = true;
			return 0;
		}
		if (n <= 0)
			return -1;
		r.out.at += (size_t)n;
		r.until = 0;
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

/* An end without a word of goodbye is a cut, and no end. */
static int from_net(void)
{
	ssize_t n;

	if (r.in.len || r.in.end)
		return 0;
	n = gnutls_record_recv(r.s, r.in.b, ROOM);
	if (again(n))
		return 0;
	if (n < 0)
		return gnutls_error_is_fatal((int)n) ? -1 : 0;
	r.in.len = (size_t)n;
	r.in.end = n == 0;
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
	if (!r.in.len && !r.in.end && gnutls_record_check_pending(r.s))
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
	while (!(r.out.told && r.in.told))
		if (turn() < 0)
			return 1;
	return 0;
}
