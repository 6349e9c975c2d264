/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Snapshots go ahead of the disks, while the guest runs: the oldest whole, of each further one what differs from the one before it, so that they share
 * their blocks there as they do here. The VM's lock keeps them as they are meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "node/migrate_in.h"
#include "node/snapdiff.h"

#define STILL_NS  5000000000ULL
#define SETTLE_NS 300000000000ULL /* the other node's pool writes all of it out */
#define REASON_NS 10000000000ULL  /* who has cut the link may say why, when it has cleared up */
#define WAIT_MS   100

void migrate_snaps_done(struct migrate_snaps *s)
{
	free(s->v);
	*s = MIGRATE_SNAPS_INIT;
}

/* ---- which there are ---- */

static int add(const char *name, uint64_t created_ns, void *arg)
{
	struct migrate_snaps *s = arg;

	if (strlen(name) > MIGSNAP_NAME || s->n == MIGSNAP_MOST)
		return -E2BIG;
	if (s->n == s->most) {
		s->most = s->most ? s->most * 2 : 16;
		s->v = xrealloc(s->v, s->most * sizeof *s->v);
	}
	s->v[s->n] = (struct migrate_snap){.created = created_ns};
	strcpy(s->v[s->n++].name, name);
	return 0;
}

static int older(const void *a, const void *b)
{
	const struct migrate_snap *x = a, *y = b;

	return x->created != y->created ? x->created < y->created ? -1 : 1 : strcmp(x->name, y->name);
}

static int open_snap(const struct vm *v, const char *name, struct err *e)
{
	_free_ char *path = xprintf("%s/snap/%s", v->uuid, name);
	int fd = openat(store_fd(v->store), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "snapshot %s", name) : fd;
}

static int open_file(int dir, const char *name, struct stat *st, struct err *e)
{
	_fd_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return err_sys(e, errno, "%s", name);
	if (migsnap_file(name) < 0 || !S_ISREG(st->st_mode)) {
		err_set(e, ENOTSUP, "%s is no file of a machine's, and can't come along", name);
		return err_hint(e, "Delete the snapshot, or say --without-snapshots: they go with the VM here.");
	}
	return take_fd(&fd);
}

/* What is looked for of each file: first where it lies alone, then what is in it too. */
struct pass {
	struct snapdiff d;
	int (*file)(void *arg, const char *name, uint64_t size, struct err *e);
};

static int one_file(struct pass *p, int now, int before, const char *name, struct err *e)
{
	_fd_ int fd = -1, old = -1;
	struct stat st;
	int r;

	fd = open_file(now, name, &st, e);
	if (fd < 0)
		return fd;
	sum64_add(&p->d.sum, name, strlen(name) + 1);
	old = before < 0 ? -1 : openat(before, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (before >= 0 && old < 0 && errno != ENOENT)
		return err_sys(e, errno, "%s of the one before", name);
	r = p->file ? p->file(p->d.arg, name, (uint64_t)st.st_size, e) : 0;
	if (r == 0)
		r = snapdiff_file(fd, old, &p->d, e);
	return r < 0 ? err_add(e, "%s", name) : 0;
}

static int files(struct pass *p, int now, int before, struct err *e)
{
	_dir_ DIR *d = dir_of(openat(now, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int r = d ? 0 : err_sys(e, errno, "its files");

	for (struct dirent *de; r == 0 && (de = readdir(d));)
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			r = one_file(p, now, before, de->d_name, e);
	return r;
}

static int one_snap(const struct vm *v, const struct migrate_snaps *s, size_t i, struct pass *p, struct err *e)
{
	_fd_ int now = open_snap(v, s->v[i].name, e), before = now >= 0 && i ? open_snap(v, s->v[i - 1].name, e) : -1;
	int r = now < 0 ? now : i && before < 0 ? before : files(p, now, before, e);

	return r < 0 ? err_add(e, "snapshot %s", s->v[i].name) : 0;
}

struct look {
	struct ctx *c;
	uint64_t deadline;
};

static int look_on(void *arg, uint64_t bytes, struct err *e)
{
	const struct look *l = arg;
	int r = ctx_check(l->c, e);

	return r == 0 && l->deadline && clock_mono_ns() > l->deadline ? err_set(e, ETIME, "its snapshots were not looked through in time (--limit)") : r;
}

int migrate_snaps_look(struct vm *v, uint64_t deadline, struct migrate_snaps *s, struct err *e)
{
	struct look l = {v->c, deadline};
	_free_ char *dir = xprintf("%s/snap", v->uuid);
	int r = store_each(v->store, dir, add, s, e);

	if (r == -ENOENT)
		r = 0;
	if (r == -E2BIG)
		return err_set(e, E2BIG, "it has more than %u snapshots, or one with a name that is too long", MIGSNAP_MOST);
	if (s->n)
		qsort(s->v, s->n, sizeof *s->v, older);
	for (size_t i = 0; r == 0 && i < s->n; i++) {
		struct pass p = {.d = SNAPDIFF_INIT};

		p.d.look = look_on;
		p.d.arg = &l;
		r = one_snap(v, s, i, &p, e);
		s->v[i].sum = sum64(&p.d.sum);
		s->bytes += p.d.bytes;
	}
	return r;
}

/* ---- they go ---- */

struct way {
	struct migrate_snaps *s;
	int fd;
	uint64_t bandwidth, begin, last, gone; /* last: when something was sent; gone: bytes of it, since begin */
	uint64_t asked; /* when each was, where nothing is sent for long */
	int (*each)(void *arg, const struct migrate_snaps *s, bool settles, struct err *e);
	void *arg;
};

/* The link is cut: who did it may have said why. */
static int cut(struct way *w, struct err *e)
{
	uint64_t until = clock_mono_ns() + REASON_NS;
	int r = 0;

	while (r == 0 && clock_mono_ns() < until) {
		r = w->each(w->arg, w->s, true, e);
		if (r == 0)
			poll(NULL, 0, WAIT_MS);
	}
	return r < 0 ? r : err_set(e, EPIPE, "the link to the other node is cut");
}

static int put(struct way *w, const void *p, size_t n, struct err *e)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < n;) {
		struct pollfd f = {.fd = w->fd, .events = POLLOUT};
		ssize_t k = send(w->fd, (const char *)p + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && errno != EAGAIN && errno != EINTR)
			return cut(w, e);
		if (k < 0) {
			poll(&f, 1, WAIT_MS);
			r = w->each(w->arg, w->s, false, e);
			continue;
		}
		at += (size_t)k;
		w->gone += (size_t)k;
	}
	w->last = clock_mono_ns();
	return r;
}

static int record(struct way *w, enum migsnap_kind kind, uint64_t at, const void *p, uint32_t n, struct err *e)
{
	struct migsnap_head h = {kind, n, at};
	unsigned char head[MIGSNAP_HEAD];
	int r;

	migsnap_put(&h, head);
	r = put(w, head, sizeof head, e);
	return r == 0 && p ? put(w, p, n, e) : r;
}

static int file_goes(void *arg, const char *name, uint64_t size, struct err *e)
{
	return record(arg, MIGSNAP_FILE, size, name, (uint32_t)strlen(name), e);
}

static int data_goes(void *arg, uint64_t at, const void *p, size_t n, struct err *e)
{
	struct way *w = arg;
	int r = record(w, MIGSNAP_DATA, at, p, (uint32_t)n, e);

	w->s->sent += n;
	while (r == 0 && w->bandwidth && (double)(clock_mono_ns() - w->begin) / 1e9 * (double)w->bandwidth < (double)w->gone) {
		poll(NULL, 0, WAIT_MS);
		r = w->each(w->arg, w->s, false, e);
	}
	return r;
}

static int zero_goes(void *arg, uint64_t at, uint64_t n, struct err *e)
{
	const uint64_t most = (uint64_t)UINT32_MAX * MIGSNAP_BLOCK;
	int r = 0;

	for (uint64_t k; r == 0 && n; at += k, n -= k) {
		k = n < most ? n : most;
		r = record(arg, MIGSNAP_ZERO, at, NULL, (uint32_t)(k / MIGSNAP_BLOCK), e);
	}
	return r;
}

static int compared(void *arg, uint64_t bytes, struct err *e)
{
	struct way *w = arg;

	w->s->looked += bytes ?: 1;
	if (clock_mono_ns() - w->last > STILL_NS) {
		int r = record(w, MIGSNAP_STILL, 0, NULL, 0, e);

		if (r < 0)
			return r;
	}
	if (!bytes && clock_mono_ns() - w->asked < WAIT_MS * 1000000ULL)
		return 0;
	w->asked = clock_mono_ns();
	return w->each(w->arg, w->s, false, e);
}

static int settled(struct way *w, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	_buf_ struct buf in = BUF_INIT;
	uint64_t until = clock_mono_ns() + SETTLE_NS;
	int r;

	while ((r = wire_look(w->fd, &in, &m, e)) == 0) {
		struct pollfd f = {.fd = w->fd, .events = POLLIN};

		if (clock_mono_ns() > until)
			return err_set(e, ETIME, "the other node does not say that it has them");
		poll(&f, 1, WAIT_MS);
		r = w->each(w->arg, w->s, true, e);
		if (r < 0)
			return r;
	}
	if (r == -EPIPE)
		return cut(w, e);
	return r < 0 ? r : m.word == MIG_OK ? 0 : wire_refused(&m, e);
}

static int all(struct vm *v, struct way *w, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->s->n; i++) {
		struct pass p = {.d = SNAPDIFF_INIT, .file = file_goes};
		struct migrate_snap *m = &w->s->v[i];

		p.d.data = data_goes;
		p.d.zero = zero_goes;
		p.d.look = compared;
		p.d.arg = w;
		r = record(w, MIGSNAP_SNAPSHOT, m->created, m->name, (uint32_t)strlen(m->name), e);
		if (r == 0)
			r = one_snap(v, w->s, i, &p, e);
		/* what is moved on the pool meanwhile may have taken the place of what was looked at before it */
		if (r == 0 && sum64(&p.d.sum) != m->sum) {
			err_set(e, EAGAIN, "snapshot %s: the pool moves what is in it (a balance, or a device that is removed)", m->name);
			r = err_hint(e, "Once more, when that is done.");
		}
		if (r == 0)
			r = record(w, MIGSNAP_END, 0, NULL, 0, e);
		if (r == 0)
			r = failpoint("migrate-snapshot", e);
	}
	return r == 0 ? record(w, MIGSNAP_OVER, 0, NULL, 0, e) : r;
}

int migrate_snaps_send(struct vm *v, struct migrate_snaps *s, const struct migrate_mark *to, uint64_t bandwidth,
		       int (*each)(void *arg, const struct migrate_snaps *s, bool settles, struct err *e), void *arg, struct err *e)
{
	struct way w = {.s = s, .bandwidth = bandwidth, .each = each, .arg = arg};
	_peer_ struct peer p = PEER_INIT;
	struct err why = ERR_INIT; /* e may be NULL */
	int r = migrate_stream(v->c, to, MIG_SNAPSHOTS, NULL, &p, &why);

	w.fd = p.fd;
	w.begin = w.last = clock_mono_ns();
	if (r == 0)
		r = all(v, &w, &why);
	if (r == 0)
		r = settled(&w, &why);
	if (r < 0 && e)
		*e = why;
	return r < 0 ? err_add(e, "its snapshots") : 0;
}
