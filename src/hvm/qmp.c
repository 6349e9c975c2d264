/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/sock.h"
#include "model/vm.h"

static void printable(const char *s, char out[256])
{
	size_t n = 0;

	for (; s && *s && n < 255; s++)
		out[n++] = (unsigned char)*s < 32 || (unsigned char)*s > 126 ? '?' : *s;
	out[n] = 0;
}

enum qmp_kind qmp_line(const char *text, size_t n, json_t **value, char why[256])
{
	_json_ json_t *m = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	json_t *v;

	*value = NULL;
	*why = 0;
	/* a number of 64 bits without a sign ("not known") is more than an integer of this library's holds */
	if (!m)
		m = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(m))
		return QMP_BAD;
	v = json_object_get(m, "event");
	if (v) {
		*value = json_incref(v);
		return QMP_EVENT;
	}
	if (json_object_get(m, "QMP"))
		return QMP_GREETING;
	v = json_object_get(m, "return");
	if (v) {
		*value = json_incref(v);
		return QMP_RETURN;
	}
	v = json_object_get(m, "error");
	if (!v)
		return QMP_OTHER;
	printable(json_string_value(json_object_get(v, "desc")) ?: "it says not why", why);
	return QMP_ERROR;
}

/* Milliseconds that are left, 0 = none. */
static int left(uint64_t until)
{
	uint64_t now = clock_mono_ns();

	return now >= until ? 0 : (int)((until - now) / 1000000) + 1;
}

/* When what begins now is over. */
static uint64_t within(const struct qmp *q, int ms)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;

	return q->until && q->until < until ? q->until : until;
}

void qmp_bound(struct qmp *q, int ms)
{
	q->until = clock_mono_ns() + (uint64_t)ms * 1000000;
}

static int silent(struct err *e)
{
	return err_set(e, ETIME, "QEMU does not answer: it hangs, or another command has its control socket");
}

static int ready(const struct qmp *q, short what, uint64_t until, struct err *e)
{
	struct pollfd p = {.fd = q->fd, .events = what};
	int r, ms;

	/* no time left is no time left, also for who never stops talking */
	do
		r = (ms = left(until)) ? poll(&p, 1, ms) : 0;
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, errno, "QEMU's control socket");
	return r ? 0 : silent(e);
}

static int gone(struct err *e)
{
	return err_set(e, EPIPE, "QEMU has closed its control socket");
}

/* The next line, at its place in q->in; len without the newline. drop_line() when it has been read. */
static int next_line(struct qmp *q, uint64_t until, size_t *len, struct err *e)
{
	size_t seen = 0;

	for (;;) {
		char chunk[4096];
		const char *end = q->in.len > seen ? memchr(q->in.p + seen, '\n', q->in.len - seen) : NULL;
		ssize_t n;
		int r;

		if (end) {
			*len = (size_t)(end - q->in.p);
			return ++q->lines > QMP_LINES_MAX ? err_set(e, EPROTO, "QEMU says too much") : 0;
		}
		seen = q->in.len;
		if (seen > QMP_LINE_MAX)
			return err_set(e, EPROTO, "QEMU says a line of more than %u bytes", QMP_LINE_MAX);
		r = ready(q, POLLIN, until, e);
		if (r < 0)
			return r;
		n = recv(q->fd, chunk, sizeof chunk, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return gone(e);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "QEMU's control socket");
		if (n > 0)
			buf_add(&q->in, chunk, (size_t)n);
	}
}

static void drop_line(struct qmp *q, size_t len)
{
	q->in.len -= len + 1;
	memmove(q->in.p, q->in.p + len + 1, q->in.len);
}

/* An event's own time is of the host's clock: how long ago that was, ten seconds at most. */
static uint64_t when(const char *text, size_t n)
{
	_json_ json_t *m = json_loadb(text, n, 0, NULL);
	const json_t *t = json_object_get(m, "timestamp");
	uint64_t now = clock_mono_ns(), wall = clock_wall_ns();
	uint64_t at = (uint64_t)vm_int(t, "seconds", 0) * 1000000000 + (uint64_t)vm_int(t, "microseconds", 0) * 1000;

	return at <= wall && wall - at < 10000000000ULL ? now - (wall - at) : now;
}

/* The next line, whatever it is: its kind, or an error. */
static int hear(struct qmp *q, const char *command, uint64_t until, json_t **value, struct err *e)
{
	char why[256];
	size_t len;
	int r = next_line(q, until, &len, e);
	enum qmp_kind k;

	if (r < 0)
		return r;
	k = qmp_line(q->in.p, len, value, why);
	if (k == QMP_EVENT && str_eq(json_string_value(*value), "STOP"))
		q->stopped_ns = when(q->in.p, len);
	drop_line(q, len);
	if (k == QMP_ERROR)
		return err_set(e, EREMOTEIO, "QEMU refuses %s: %s", command, why);
	return k == QMP_BAD ? err_set(e, EPROTO, "QEMU says what is no JSON") : (int)k;
}

/* The first line of that kind, or an error; what is of no concern goes by. */
static int await(struct qmp *q, enum qmp_kind kind, const char *command, uint64_t until, json_t **ret, struct err *e)
{
	for (;;) {
		json_t *value = NULL;
		int k = hear(q, command, until, &value, e);

		if (k == (int)kind && ret)
			*ret = value;
		else
			json_decref(value);
		if (k < 0 || k == (int)kind)
			return k < 0 ? k : 0;
	}
}

static int settle(struct qmp *q, uint64_t until, struct err *e)
{
	int r = 0, k = 0;

	/* the answers behind a refusal are heard as well, or the next command would have another's */
	for (unsigned i = 0; i < q->nowed && (k == 0 || k == -EREMOTEIO); i++) {
		struct err later = ERR_INIT;

		k = await(q, QMP_RETURN, q->owed[i], until, NULL, r ? &later : e);
		r = r ?: k;
	}
	q->nowed = 0;
	return r;
}

int qmp_event(struct qmp *q, const char *name, int ms, struct err *e)
{
	uint64_t until = within(q, ms);

	q->lines = 0;
	for (;;) {
		json_t *value = NULL;
		bool found;
		int r = settle(q, until, e);

		if (r == 0)
			r = await(q, QMP_EVENT, name, until, &value, e);
		found = r == 0 && str_eq(json_string_value(value), name);
		json_decref(value);
		if (r < 0 || found)
			return r;
	}
}

/* A descriptor goes with the first byte. */
static ssize_t send_some(const struct qmp *q, const char *p, size_t n, int fd)
{
	return fd >= 0 ? sock_send_with(q->fd, p, n, MSG_DONTWAIT, fd) : send(q->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int qmp_do(struct qmp *q, const char *command, json_t *args, int ms, json_t **ret, struct err *e)
{
	return qmp_do_fd(q, command, args, -1, ms, ret, e);
}

static int say(struct qmp *q, const char *command, json_t *args, int fd, uint64_t until, struct err *e)
{
	_json_ json_t *m = json_pack("{s:s}", "execute", command);
	_free_ char *text = NULL;
	size_t len, at = 0;

	if (args)
		json_object_set_new(m, "arguments", args);
	text = json_dumps(m, JSON_COMPACT);
	len = strlen(text);
	text[len++] = '\n'; /* in place of the NUL: lengths are given from here on */
	q->lines = 0;
	while (at < len) {
		int r = ready(q, POLLOUT, until, e);
		ssize_t n;

		if (r < 0)
			return r;
		n = send_some(q, text + at, len - at, at ? -1 : fd);
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return gone(e);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, errno, "QEMU's control socket");
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int qmp_do_fd(struct qmp *q, const char *command, json_t *args, int fd, int ms, json_t **ret, struct err *e)
{
	uint64_t until = within(q, ms);
	int r = say(q, command, args, fd, until, e);

	struct err none = ERR_INIT;

	if (r == 0)
		r = settle(q, until, e);
	if (r == -EREMOTEIO)
		await(q, QMP_RETURN, command, until, NULL, &none);
	return r < 0 ? r : await(q, QMP_RETURN, command, until, ret, e);
}

int qmp_say(struct qmp *q, const char *command, json_t *args, int ms, struct err *e)
{
	uint64_t until = within(q, ms);
	int r = q->nowed == QMP_OWED_MAX ? settle(q, until, e) : 0;

	if (r == 0)
		r = say(q, command, args, -1, until, e);
	if (r == 0)
		q->owed[q->nowed++] = command;
	return r;
}

int qmp_settle(struct qmp *q, int ms, struct err *e)
{
	return settle(q, within(q, ms), e);
}

int qmp_cont(struct qmp *q, int ms, struct err *e)
{
	uint64_t until = within(q, ms);
	int r = settle(q, until, e);

	if (r == 0)
		r = say(q, "cont", NULL, -1, until, e);
	while (r == 0) {
		json_t *value = NULL;
		int k = hear(q, "cont", until, &value, e);
		bool runs = k == QMP_EVENT && str_eq(json_string_value(value), "RESUME");

		json_decref(value);
		if (k < 0 || k == QMP_RETURN)
			return k < 0 ? k : 1;
		if (runs) {
			q->owed[q->nowed++] = "cont";
			return 0;
		}
	}
	return r;
}

bool qmp_sync(const char *text, size_t n, json_int_t *id)
{
	const char *at = memrchr(text, 0xff, n);
	json_t *value = NULL;
	char why[256];
	bool is;

	if (!at || qmp_line(at + 1, n - (size_t)(at + 1 - text), &value, why) != QMP_RETURN) {
		json_decref(value);
		return false;
	}
	is = json_is_integer(value);
	*id = json_integer_value(value);
	json_decref(value);
	return is;
}

static int synced(struct qmp *q, uint64_t until, struct err *e)
{
	json_int_t id = (json_int_t)(clock_wall_ns() & 0x7fffffff), got = 0;
	int r = send(q->fd, "\xff", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : err_sys(e, errno, "the guest's agent");

	if (r == 0)
		r = say(q, "guest-sync-delimited", json_pack("{s:I}", "id", id), -1, until, e);
	while (r == 0) {
		size_t len;
		bool is;

		r = next_line(q, until, &len, e);
		if (r < 0)
			return r;
		is = qmp_sync(q->in.p, len, &got) && got == id;
		drop_line(q, len);
		if (is)
			return 0;
	}
	return r;
}

int qmp_agent(const char *path, int ms, struct qmp *q, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	int r;

	*q = QMP_INIT;
	q->fd = sock_call(path, ms, e);
	if (q->fd < 0)
		return q->fd;
	r = synced(q, until, e);
	if (r < 0)
		qmp_close(q);
	return r;
}

int qmp_open(const char *path, int ms, struct qmp *q, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	int r;

	*q = QMP_INIT;
	q->fd = sock_call(path, ms, e);
	if (q->fd < 0)
		return q->fd == -ETIME ? silent(e) : q->fd;
	r = await(q, QMP_GREETING, "a connection", until, NULL, e);
	if (r == 0)
		r = qmp_do(q, "qmp_capabilities", NULL, left(until), NULL, e);
	if (r < 0)
		qmp_close(q);
	return r;
}

void qmp_close(struct qmp *q)
{
	own_fd(&q->fd);
	buf_done(&q->in);
	*q = QMP_INIT;
}
