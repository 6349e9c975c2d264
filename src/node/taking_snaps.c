/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Snapshots of a machine that is on its way here: each is made of the one before, so that they share what is the same, and then as it is told. A thread does it, with a
 * store of its own: a pool may be slow, and who else connects is to be heard. What it has made goes with the VM that is taken away.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "node/disks.h"
#include "node/receive_in.h"

#define WINDOW (8u << 20) /* what is written goes to the disk meanwhile, not all of it at the end */

struct taking_snaps {
	struct ctx *c;
	pthread_t thread;
	int link;
	char uuid[37];
	uint64_t quota;
	json_t *rec; /* a copy: the thread's */
	struct migsnap m;
	struct store *store;
	char name[MIGSNAP_NAME + 1], before[MIGSNAP_NAME + 1], file[MIGSNAP_NAME + 1];
	uint64_t created, flushed, size;
	int dir, fd;
	char *piece;
	/* for both sides, atomic */
	uint64_t bytes, turns;
	bool busy, stop, done; /* busy: with the pool, which takes its time */
	struct err failed; /* whole when done is set */
};

/* ---- the thread's ---- */

/* What lies in the link is not worked off when it is given up. */
static int stopped(const struct taking_snaps *s, struct err *e)
{
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) ? err_set(e, ECANCELED, "given up") : 0;
}

static int hear(struct taking_snaps *s, void *p, size_t n, struct err *e)
{
	for (size_t at = 0; at < n;) {
		if (stopped(s, e) < 0)
			return -e->code;
		ssize_t k = recv(s->link, (char *)p + at, n - at, 0);

		if (k == 0 || (k < 0 && errno != EINTR && errno != EAGAIN))
			return err_set(e, EPIPE, "the link to the other node is cut");
		at += k > 0 ? (size_t)k : 0;
	}
	return 0;
}

static char *place(const struct taking_snaps *s, const char *name)
{
	return xprintf("%s/snap/%s", s->uuid, name);
}

static int begin(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	_free_ char *to = place(s, s->name), *from = place(s, s->before);
	int r = store_exists(s->store, to) ? err_set(e, EPROTO, "snapshot %s comes twice", s->name) : 0;

	if (r == 0)
		r = *s->before ? store_snapshot(s->store, from, to, false, s->quota, e) : store_create(s->store, to, s->quota, e);
	if (r < 0)
		return r;
	s->created = h->at;
	s->dir = openat(store_fd(s->store), to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->dir < 0 ? err_sys(e, errno, "snapshot %s", s->name) : 0;
}

static int compressed(struct taking_snaps *s, struct err *e)
{
	int n = migsnap_file(s->file), r = 0;
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(s->rec, "disks"), i, d)
		if (r == 0 && qdisk_number(s->rec, d) == n)
			r = disk_file_compress(s->fd, s->dir, d, e);
	return r;
}

static int no_room(const struct taking_snaps *s, int code, struct err *e)
{
	err_sys(e, code, "%s", s->file);
	return code == EDQUOT ? err_hint(e, "Its quota is for its snapshots too: where it runs, vmadm update %s quota=GIB, or delete some.", s->uuid)
	       : code == ENOSPC ? err_hint(e, "cloister pool grow") : -code;
}

/* A write that fails behind our back is this file's to tell, and nobody's once it is closed; the source deletes what it has sent. */
static int file_over(struct taking_snaps *s, struct err *e)
{
	int r = s->fd >= 0 && fsync(s->fd) < 0 ? no_room(s, errno, e) : 0;

	own_fd(&s->fd);
	return r;
}

static int file(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	struct stat st;
	int r;

	s->flushed = 0;
	s->size = h->at;
	s->fd = openat(s->dir, s->file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return err_sys(e, errno, "%s", s->file);
	r = compressed(s, e);
	if (r == 0 && (uint64_t)st.st_size != h->at && ftruncate(s->fd, (off_t)h->at) < 0)
		r = err_sys(e, errno, "%s: %llu bytes", s->file, (unsigned long long)h->at);
	return r;
}

static int data(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	uint64_t end = h->at + h->n;
	int r = hear(s, s->piece, h->n, e);

	for (size_t at = 0; r == 0 && at < h->n;) {
		ssize_t k = pwrite(s->fd, s->piece + at, h->n - at, (off_t)(h->at + at));

		if (k < 0 && errno != EINTR)
			return no_room(s, errno, e);
		at += k > 0 ? (size_t)k : 0;
	}
	if (r == 0 && end - s->flushed >= WINDOW) {
		sync_file_range(s->fd, (off_t)s->flushed, (off_t)(end - s->flushed), SYNC_FILE_RANGE_WRITE);
		s->flushed = end;
	}
	return r;
}

static int zero(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	uint64_t n = (uint64_t)h->n * MIGSNAP_BLOCK;

	if (n > s->size - h->at)
		n = s->size - h->at;
	return fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)h->at, (off_t)n) < 0 ? no_room(s, errno, e) : 0;
}

/* Whole: files that only the one before has go, and nothing changes in it any more. */
static int end(struct taking_snaps *s, struct err *e)
{
	_free_ char *to = place(s, s->name);
	_dir_ DIR *d = NULL;
	int r = 0;

	d = fdopendir(s->dir);
	if (!d)
		return err_sys(e, errno, "snapshot %s", s->name);
	s->dir = -1;
	for (struct dirent *de; r == 0 && (de = readdir(d));) {
		int i = migsnap_file(de->d_name);

		if (i >= 0 && !s->m.seen[i] && unlinkat(dirfd(d), de->d_name, 0) < 0)
			r = err_sys(e, errno, "%s", de->d_name);
	}
	if (r == 0 && s->created >= 1000000000ULL)
		r = store_set_created(s->store, to, s->created, e);
	if (r == 0)
		r = store_readonly(s->store, to, true, e);
	strcpy(s->before, s->name);
	return r == 0 ? failpoint("receive-snapshot", e) : r;
}

static int pool_does(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	switch (h->kind) {
	case MIGSNAP_SNAPSHOT:
		return begin(s, h, e);
	case MIGSNAP_FILE:
		return file(s, h, e);
	case MIGSNAP_END:
		return end(s, e);
	default:
		return store_sync(s->store, e); /* for good: when the machine is this node's they are too */
	}
}

static int record(struct taking_snaps *s, const struct migsnap_head *h, struct err *e)
{
	bool a_file = h->kind == MIGSNAP_FILE, named = a_file || h->kind == MIGSNAP_SNAPSHOT;
	char text[MIGSNAP_NAME], name[MIGSNAP_NAME + 1];
	int r = 0;

	if (h->kind == MIGSNAP_DATA)
		return data(s, h, e);
	if (h->kind == MIGSNAP_ZERO)
		return zero(s, h, e);
	if (h->kind == MIGSNAP_STILL)
		return 0;
	if (named)
		r = hear(s, text, h->n, e);
	if (r == 0 && named)
		r = migsnap_name(&s->m, h, text, name, e);
	if (r < 0)
		return r;
	__atomic_store_n(&s->busy, true, __ATOMIC_RELEASE);
	r = file_over(s, e);
	if (r == 0 && named)
		strcpy(a_file ? s->file : s->name, name);
	if (r == 0)
		r = pool_does(s, h, e);
	__atomic_store_n(&s->busy, false, __ATOMIC_RELEASE);
	return r;
}

static void *run(void *arg)
{
	struct taking_snaps *s = arg;
	struct err e = ERR_INIT;
	int r = store_open(s->c, &s->store, &e);

	while (r == 0 && !s->m.over) {
		unsigned char head[MIGSNAP_HEAD];
		struct migsnap_head h;

		r = hear(s, head, sizeof head, &e);
		if (r == 0)
			r = migsnap_take(&s->m, head, &h, &e);
		if (r == 0)
			r = record(s, &h, &e);
		__atomic_store_n(&s->bytes, s->m.taken, __ATOMIC_RELAXED);
		__atomic_add_fetch(&s->turns, 1, __ATOMIC_RELAXED);
	}
	own_fd(&s->fd);
	own_fd(&s->dir);
	store_close(&s->store);
	if (r < 0 && *s->name && r != -EPIPE && r != -EPROTO)
		err_add(&e, "snapshot %s", s->name);
	if (r < 0)
		s->failed = e.code ? e : (struct err){.code = EIO, .msg = "its snapshots"};
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- the command's ---- */

static void drop(struct taking *t)
{
	own_fd(&t->snaps->link);
	json_decref(t->snaps->rec);
	free(t->snaps->piece);
	free(t->snaps);
	t->snaps = NULL;
}

int taking_snaps_begin(struct taking *t, struct peer *p, struct err *e)
{
	sigset_t all, old;
	int r;

	if (!t->snapshots || t->snaps)
		return err_set(e, EPROTO, "snapshots come that were not offered, or twice");
	r = wire_say(p->fd, MIG_OK, NULL, e);
	if (r < 0)
		return r;
	t->snaps = xalloc(sizeof *t->snaps);
	*t->snaps = (struct taking_snaps){.c = t->v.c, .quota = store_quota_id(t->v.store, t->v.id_base), .rec = json_deep_copy(t->v.rec), .dir = -1, .fd = -1,
					  .link = take_fd(&p->fd), .piece = xalloc(MIGSNAP_PIECE), .m = {.want = t->snapshots, .most = t->most}};
	strcpy(t->snaps->uuid, t->v.uuid);
	/* whose signals these are the command has said */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&t->snaps->thread, NULL, run, t->snaps);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		return 0;
	drop(t);
	return err_sys(e, r, "thread");
}

uint64_t taking_snaps_bytes(const struct taking *t)
{
	return t->snapshots_have + (t->snaps ? __atomic_load_n(&t->snaps->bytes, __ATOMIC_RELAXED) : 0);
}

void taking_snaps_look(struct taking *t, bool *moved)
{
	struct taking_snaps *s = t->snaps;
	struct err e = ERR_INIT;

	if (!s)
		return;
	*moved = __atomic_exchange_n(&s->turns, 0, __ATOMIC_RELAXED) > 0 || __atomic_load_n(&s->busy, __ATOMIC_ACQUIRE);
	if (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		return;
	pthread_join(s->thread, NULL);
	e = s->failed;
	if (!e.code) {
		t->snapshots_have = s->m.taken;
		t->snapshots = 0;
		wire_say(s->link, MIG_OK, NULL, &e);
	}
	if (e.code)
		t->failed = e;
	drop(t);
}

void taking_snaps_end(struct taking *t)
{
	if (!t->snaps)
		return;
	__atomic_store_n(&t->snaps->stop, true, __ATOMIC_RELEASE);
	shutdown(t->snaps->link, SHUT_RDWR);
	pthread_join(t->snaps->thread, NULL);
	drop(t);
}
