/* SPDX-License-Identifier: MPL-2.0 */
/* A child reads what the processes have open and passes each file through a pipe: whatever holds it up holds up it alone. */
#include "cmd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "stat/aside.h"

#define STUCK_MS 1000 /* the child has come to no further file: it is held up */
#define SLOW_MS  200  /* a file that took so long counts against its zone */
#define ZONE_MS  3000 /* so much of a zone, and its others are left */
#define PIPE_MAX 32768

/* A process begins, with path 0 (proc = all of them: the end); or a file, with what is used of its path, and host. */
struct message {
	size_t proc, path, host;
};

#define FILE_SIZE offsetof(struct open_file, path)

struct sending {
	int out;
	size_t proc;
	char text[PIPE_MAX];
};

static int send_file(const struct open_file *f, void *arg)
{
	struct sending *s = arg;
	struct message m = {s->proc, strlen(f->path) + 1, f->host ? strlen(f->host) + 1 : 0};
	char *to = s->text;

	if (m.host > PIPE_MAX / 2)
		m.host = 0;
	to = mempcpy(to, &m, sizeof m);
	to = mempcpy(to, f, FILE_SIZE);
	to = mempcpy(to, f->path, m.path);
	if (m.host)
		to = mempcpy(to, f->host, m.host);
	return fd_write_all(s->out, s->text, (size_t)(to - s->text));
}

__attribute__((noreturn)) static void child(struct files_reader *r, const struct procs *ps, size_t from, int out)
{
	struct sending *s = xalloc(sizeof *s);
	int rc = 0;

	s->out = out;
	for (size_t i = from; rc == 0 && i <= ps->n; i++) {
		const struct message m = {.proc = i};

		s->proc = i;
		rc = fd_write_all(out, &m, sizeof m);
		if (rc == 0 && i < ps->n)
			rc = files_each(r, &ps->p[i], send_file, s, NULL);
	}
	_exit(rc < 0);
}

struct walk {
	const struct procs *ps;
	int (*each)(const struct open_file *f, void *arg);
	void *arg;
	size_t at;       /* the process that is being read */
	uint64_t *spent; /* ms, by zone */
	size_t len;
	char in[2 * PIPE_MAX];
};

/* What of the pipe is whole. */
static int take_files(struct walk *w)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && w->len - at >= sizeof(struct message)) {
		struct open_file f;
		struct message m;
		const char *from = w->in + at + sizeof m;

		memcpy(&m, w->in + at, sizeof m);
		if (w->len - at < sizeof m + (m.path ? FILE_SIZE + m.path + m.host : 0))
			break;
		w->at = m.proc;
		at += sizeof m;
		if (m.path == 0)
			continue;
		memcpy(&f, from, FILE_SIZE);
		memcpy(f.path, from + FILE_SIZE, m.path);
		f.host = m.host ? w->in + at + FILE_SIZE + m.path : NULL;
		at += FILE_SIZE + m.path + m.host;
		rc = w->each(&f, w->arg);
	}
	memmove(w->in, w->in + at, w->len - at);
	w->len -= at;
	return rc;
}

static uint64_t ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool used_up(const struct walk *w)
{
	return w->at < w->ps->n && w->spent[w->ps->p[w->at].zone] >= ZONE_MS;
}

/* Until the pipe ends, or for as long as it is worth it. */
static int listen_to(struct walk *w, int in)
{
	struct pollfd p = {.fd = in, .events = POLLIN};
	int rc = 0;

	w->len = 0;
	while (rc == 0 && !used_up(w)) {
		uint64_t since = ms_now(), ms;
		int n = poll(&p, 1, STUCK_MS);
		ssize_t got;

		if (n < 0 && errno == EINTR)
			continue;
		ms = ms_now() - since;
		if (ms >= SLOW_MS && w->at < w->ps->n)
			w->spent[w->ps->p[w->at].zone] += ms;
		if (n <= 0)
			break;
		got = read(in, w->in + w->len, sizeof w->in - w->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		w->len += (size_t)got;
		rc = take_files(w);
	}
	return rc;
}

static int walk_from(struct files_reader *r, struct walk *w, struct err *e)
{
	_fd_ int in = -1, out = -1, fd = -1;
	int ends[2], rc;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	in = ends[0];
	out = ends[1];
	pid = aside_clone(&fd);
	if (pid < 0)
		return err_sys(e, (int)pid, "fork");
	if (pid == 0)
		child(r, w->ps, w->at, out);
	own_fd(&out);
	rc = listen_to(w, in);
	aside_end(pid, fd);
	return rc;
}

int files_walk(struct files_reader *r, const struct procs *ps, int (*each)(const struct open_file *, void *arg), void *arg, struct err *e)
{
	_free_ struct walk *w = xalloc(sizeof *w);
	_free_ uint64_t *spent = NULL;
	_buf_ struct buf own = BUF_INIT;
	unsigned zones = 0;
	int rc = 0;

	for (size_t i = 0; i < ps->n; i++)
		zones = ps->p[i].zone > zones ? ps->p[i].zone : zones;
	spent = xalloc((zones + 1) * sizeof *spent);
	*w = (struct walk){.ps = ps, .each = each, .arg = arg, .spent = spent};
	if (r->want_host && file_read(AT_FDCWD, "/proc/self/mountinfo", 64 << 20, &own, NULL) == 0)
		mountmap_parse(buf_str(&own), own.len, &r->own);
	while (rc == 0 && w->at < ps->n) {
		if (!used_up(w))
			rc = walk_from(r, w, e);
		if (rc < 0 || w->at >= ps->n)
			break;
		r->unread = xrealloc(r->unread, (r->nunread + 1) * sizeof(*r->unread));
		r->unread[r->nunread++] = &ps->p[w->at++];
	}
	return rc;
}
