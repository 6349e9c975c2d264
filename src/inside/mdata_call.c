/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The way to the service. A zone has a socket. A guest has a serial line that it shares with whatever else it runs: it is locked, the
 * rest of an answer that somebody else did not wait for is read away, and what is damaged on it is asked for again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "inside/mdata.h"

#define SERIAL    "/dev/ttyS1"
#define TRIES     3
#define GREET_MS  2000
#define ANSWER_MS 20000 /* each time that it is asked: a command may be at work on the VM, and a serial line is slow */

struct line {
	int fd;
	bool serial, v1;
	struct buf in;
};

static void line_done(struct line *l)
{
	own_fd(&l->fd);
	buf_done(&l->in);
}

static uint64_t now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

/* 1 = a line, without its newline; 0: none has come in time. */
static int line_read(struct line *l, uint64_t until, struct buf *out, struct err *e)
{
	char chunk[4096];

	for (;;) {
		char *nl = l->in.len ? memchr(l->in.p, '\n', l->in.len) : NULL;
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		uint64_t now = now_ms();
		ssize_t n;

		if (nl) {
			size_t k = (size_t)(nl - l->in.p);

			out->len = 0;
			buf_add(out, l->in.p, k);
			l->in.len -= k + 1;
			memmove(l->in.p, nl + 1, l->in.len);
			return 1;
		}
		if (now >= until || poll(&p, 1, (int)(until - now)) == 0)
			return 0;
		n = read(l->fd, chunk, sizeof chunk);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "metadata service");
		if (n == 0)
			return err_set(e, EPIPE, "the metadata service has closed the connection");
		if (n > 0)
			buf_add(&l->in, chunk, (size_t)n);
	}
}

static int say(struct line *l, const void *p, size_t n, struct err *e)
{
	int r = fd_write_all(l->fd, p, n);

	return r < 0 ? err_sys(e, r, "metadata service") : 0;
}

static bool line_is(const struct buf *b, const char *word)
{
	size_t n = b->len;

	while (n && b->p[n - 1] == '\r')
		n--;
	return n == strlen(word) && !memcmp(b->p, word, n);
}

/* An empty line is no command: when that is what we hear, nothing else is under way. Then the newer protocol, where there is one. */
static int greet(struct line *l, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r;

	for (int i = 0; i < TRIES; i++) {
		uint64_t until = now_ms() + GREET_MS;
		bool heard = false;

		l->in.len = 0;
		if (l->serial)
			tcflush(l->fd, TCIOFLUSH);
		r = say(l, "\n", 1, e);
		while (r >= 0 && !heard && (r = line_read(l, until, &b, e)) > 0)
			heard = line_is(&b, "invalid command");
		if (r < 0)
			return r;
		if (!heard)
			continue;
		r = say(l, "NEGOTIATE V2\n", 13, e);
		if (r == 0)
			r = line_read(l, now_ms() + GREET_MS, &b, e);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		l->v1 = !line_is(&b, "V2_OK");
		return 0;
	}
	return err_set(e, ETIME, "the metadata service does not answer");
}

static int open_serial(struct line *l, struct err *e)
{
	struct termios t;

	l->fd = open(SERIAL, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	l->serial = true;
	if (l->fd < 0)
		return err_sys(e, errno, "no metadata service: neither a socket in /.zonecontrol nor " SERIAL);
	if (flock(l->fd, LOCK_EX) < 0 || tcgetattr(l->fd, &t) < 0)
		return err_sys(e, errno, SERIAL);
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~(tcflag_t)CRTSCTS;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(l->fd, TCSAFLUSH, &t) < 0 || fcntl(l->fd, F_SETFL, 0) < 0)
		return err_sys(e, errno, SERIAL);
	return 0;
}

static int line_open(struct line *l, struct err *e)
{
	static const char *const places[] = {"/.zonecontrol/metadata.sock", "/native/.zonecontrol/metadata.sock"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		strcpy(a.sun_path, places[i]);
		if (s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) == 0) {
			l->fd = take_fd(&s);
			return 0;
		}
		if (errno != ENOENT && errno != ENOTDIR)
			return err_sys(e, errno, "%s", places[i]);
	}
	return open_serial(l, e);
}

static int ask_v1(struct line *l, enum mdata_op op, const char *key, enum mdata_status *status, struct buf *out, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	_free_ char *text = op == MDATA_KEYS ? xstrdup("KEYS\n") : xprintf("GET %s\n", key);
	uint64_t until = now_ms() + ANSWER_MS;
	int r;

	if (op != MDATA_GET && op != MDATA_KEYS)
		return err_set(e, ENOTSUP, "this host's metadata can only be read");
	r = say(l, text, strlen(text), e);
	if (r == 0)
		r = line_read(l, until, &b, e);
	if (r <= 0)
		return r;
	*status = line_is(&b, "SUCCESS") ? MDATA_SUCCESS : line_is(&b, "NOTFOUND") ? MDATA_NOTFOUND : MDATA_FAILURE;
	if (*status != MDATA_SUCCESS)
		return 1;
	while ((r = line_read(l, until, &b, e)) > 0)
		if (mdata_reply_v1(buf_str(&b), b.len, out))
			return 1;
	return r;
}

static int ask_v2(struct line *l, enum mdata_op op, const char *key, const void *value, size_t n, enum mdata_status *status, struct buf *out,
		  struct err *e)
{
	_buf_ struct buf b = BUF_INIT, q = BUF_INIT;
	uint64_t until = now_ms() + ANSWER_MS, t = clock_mono_ns();
	const char *p;
	char id[9];
	size_t len;
	int r;

	snprintf(id, sizeof id, "%08x", (unsigned)(t ^ t >> 32) ^ (unsigned)getpid() << 16);
	mdata_ask_v2(&q, id, op, key, value, n);
	r = say(l, q.p, q.len, e);
	while (r >= 0 && (r = line_read(l, until, &b, e)) > 0) {
		if (!b.len || !mdata_reply_v2(b.p, b.len, id, status, &p, &len))
			continue; /* of somebody else's, or damaged */
		buf_add(out, p, len);
		return 1;
	}
	return r;
}

int mdata_call(enum mdata_op op, const char *key, const void *value, size_t n, enum mdata_status *status, struct buf *out, struct err *e)
{
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		_clean_(line_done) struct line l = {.fd = -1};

		out->len = 0;
		r = line_open(&l, e);
		if (r == 0)
			r = greet(&l, e);
		if (r == 0)
			r = l.v1 ? ask_v1(&l, op, key, status, out, e) : ask_v2(&l, op, key, value, n, status, out, e);
		if (r == 1)
			return 0;
		if (r < 0 && r != -EPIPE && r != -ECONNRESET && r != -ETIME)
			return r;
	}
	return r < 0 ? r : err_set(e, ETIME, "the metadata service does not answer");
}
