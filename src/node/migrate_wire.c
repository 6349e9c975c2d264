/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "node/migrate_in.h"

#define SAY_MS 30000

int wire_say(int fd, enum migmsg_word word, json_t *more, struct err *e)
{
	_free_ char *text = migmsg_text(word, more);
	size_t n = strlen(text);
	uint64_t until = clock_mono_ns() + SAY_MS * 1000000ULL;

	for (size_t at = 0; at < n;) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t k = send(fd, text + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && errno == EAGAIN) {
			if (clock_mono_ns() > until)
				return err_set(e, ETIME, "the other node does not listen");
			poll(&p, 1, 100);
		} else if (k < 0) {
			return err_set(e, EPIPE, "the link to the other node is cut");
		} else {
			at += (size_t)k;
		}
	}
	return 0;
}

int wire_look(int fd, struct buf *in, struct migmsg *m, struct err *e)
{
	for (;;) {
		char chunk[65536];
		char *end = in->len ? memchr(in->p, '\n', in->len) : NULL;
		ssize_t n;

		if (end) {
			size_t len = (size_t)(end - in->p);
			int r = migmsg_parse(in->p, len, m, e);

			in->len -= len + 1;
			memmove(in->p, end + 1, in->len);
			return r < 0 ? r : 1;
		}
		if (in->len > MIGMSG_MAX)
			return err_set(e, EPROTO, "the other node says a line without end");
		n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return err_set(e, EPIPE, "the link to the other node is cut");
		buf_add(in, chunk, (size_t)n);
	}
}

int wire_hear(struct ctx *c, int fd, struct buf *in, int ms, struct migmsg *m, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	int r;

	while ((r = wire_look(fd, in, m, e)) == 0) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}};
		uint64_t now = clock_mono_ns();

		if (now >= until)
			return err_set(e, ETIME, "the other node says nothing");
		poll(p, 2, (int)((until - now) / 1000000) + 1);
		r = ctx_check(c, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/* A letter at a time: behind the line another protocol begins. */
int wire_hear_last(int fd, int ms, struct migmsg *m, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	char line[MIGMSG_SHORT];
	size_t n = 0;

	while (n < sizeof line) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_mono_ns();
		ssize_t k;

		if (now >= until || poll(&p, 1, (int)((until - now) / 1000000) + 1) == 0)
			return err_set(e, ETIME, "the other node says nothing");
		k = recv(fd, line + n, 1, MSG_DONTWAIT);
		if (k < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (k <= 0)
			return err_set(e, EPIPE, "the link to the other node is cut");
		if (line[n++] == '\n')
			return migmsg_parse(line, n - 1, m, e);
	}
	return err_set(e, EPROTO, "the other node says a line without end");
}

int wire_refused(const struct migmsg *m, struct err *e)
{
	if (m->word != MIG_NO)
		return err_set(e, EPROTO, "the other node says what was not asked");
	err_set(e, ECONNREFUSED, "the other node refuses: %s", m->why);
	return *m->hint ? err_hint(e, "There: %s", m->hint) : -ECONNREFUSED;
}

int wire_same(const struct peer *p, const char *print, struct err *e)
{
	return str_eq(p->print, print) ? 0 : err_set(e, EACCES, "another node answers there: its fingerprint is %s", p->print);
}

void wire_session(char out[MIGMSG_SESSION + 1])
{
	unsigned char b[MIGMSG_SESSION / 2];

	/* less than 256 bytes come whole, and never fail */
	if (getrandom(b, sizeof b, 0) != sizeof b)
		memset(b, 0, sizeof b);
	for (size_t i = 0; i < sizeof b; i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
}
