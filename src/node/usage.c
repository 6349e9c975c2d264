/* SPDX-License-Identifier: MPL-2.0 */
#include "node/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup.h"
#include "model/vm.h"
#include "node/vm.h"
#include "state/state.h"
#include "zone/usage_now.h"
#include "zone/zone.h"

#define FILE_MAX (80u << 20) /* deleted VMs' */

void usage_table_done(struct usage_table *t)
{
	free(t->row);
	*t = (struct usage_table){0};
}

/* An uuid that is used again begins anew with the number 1: the hour tells its rows from those of the VM before it. */
static int by_row(const void *a, const void *b)
{
	const struct usage_rec *x = *(const struct usage_rec *const *)a, *y = *(const struct usage_rec *const *)b;
	int c = memcmp(x->uuid, y->uuid, sizeof x->uuid);

	if (c)
		return c;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->hour != y->hour)
		return x->hour < y->hour ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void uuid_text(const uint8_t u[16], char out[37])
{
	static const uint8_t none[16];
	char *p = out;

	*out = '\0';
	if (!memcmp(u, none, sizeof none))
		return;
	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
}

static struct usage_row *row_new(struct usage_table *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->row = xrealloc(t->row, t->cap * sizeof *t->row);
	}
	return &t->row[t->n++];
}

static void add(struct usage_table *t, const struct usage_rec *r)
{
	struct usage_row *w = row_new(t);

	*w = (struct usage_row){.first = r->first, .hour = r->hour, .ms = r->ms, .known = r->known};
	uuid_text(r->uuid, w->uuid);
	memcpy(w->used, r->used, sizeof w->used);
	for (int i = 0; i < UG_COUNT; i++)
		w->area[i] = (double)r->area[i] * 1.024;
}

void usage_rows(const struct usage_rec *r, size_t n, uint64_t from, uint64_t to, struct usage_table *out)
{
	_free_ const struct usage_rec **p = xalloc((n + 1) * sizeof *p);
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (usage_valid(&r[i]) && r[i].hour >= from && r[i].hour < to)
			p[m++] = &r[i];
	qsort(p, m, sizeof *p, by_row);
	for (size_t i = 0; i < m; i++)
		if (i + 1 == m || p[i]->first != p[i + 1]->first || p[i]->hour != p[i + 1]->hour ||
		    memcmp(p[i]->uuid, p[i + 1]->uuid, sizeof p[i]->uuid) != 0)
			add(out, p[i]);
}

static int by_first(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;
	int c = strcmp(x->uuid, y->uuid);

	if (c)
		return c;
	return x->first != y->first ? (x->first < y->first ? -1 : 1) : x->hour < y->hour ? -1 : x->hour > y->hour;
}

/* Of rows in two tables those of t count: a fold of their file was cut off and comes again, or came while we read. */
void usage_rows_add(struct usage_table *t, const struct usage_table *more)
{
	size_t own = t->n;

	if (own)
		qsort(t->row, own, sizeof *t->row, by_first);
	for (size_t i = 0; i < more->n; i++) {
		if (own && bsearch(&more->row[i], t->row, own, sizeof *t->row, by_first))
			continue;
		*row_new(t) = more->row[i];
	}
}

static int by_hour(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;

	return x->hour != y->hour ? (x->hour < y->hour ? -1 : 1) : strcmp(x->uuid, y->uuid);
}

/* An hour may have several rows: a clock that was set back. */
static void merge(struct usage_table *t)
{
	size_t n = 0;

	if (t->n)
		qsort(t->row, t->n, sizeof *t->row, by_hour);
	for (size_t i = 0; i < t->n; i++) {
		struct usage_row *w = n ? &t->row[n - 1] : NULL;

		if (!w || by_hour(w, &t->row[i]) != 0) {
			t->row[n++] = t->row[i];
			continue;
		}
		for (int k = 0; k < UC_COUNT; k++)
			w->used[k] += t->row[i].used[k];
		for (int k = 0; k < UG_COUNT; k++)
			w->area[k] += t->row[i].area[k];
		w->ms += t->row[i].ms;
		w->known |= t->row[i].known;
	}
	t->n = n;
}

static int read_records(int dir, const char *name, struct buf *b, struct err *e)
{
	int r = file_read(dir, name, FILE_MAX, b, e);

	b->len -= b->len % sizeof(struct usage_rec);
	return r == -ENOENT ? 0 : r;
}

/* A name and its .1 together: the record that opened the newer is in both. */
static int load_pair(int dir, const char *name, uint64_t from, uint64_t to, struct usage_table *out, struct err *e)
{
	_free_ char *old = xprintf("%s.1", name);
	_buf_ struct buf b = BUF_INIT, b1 = BUF_INIT;
	int r = read_records(dir, old, &b1, e);

	if (r == 0)
		r = read_records(dir, name, &b, e);
	if (r < 0)
		return r;
	buf_add(&b, buf_str(&b1), b1.len);
	usage_rows((const struct usage_rec *)(const void *)buf_str(&b), b.len / sizeof(struct usage_rec), from, to, out);
	return 0;
}

/* Each VM that has a file: also one of which only the older is there. */
static int each_file(int dir, int (*each)(const char *name, void *arg, struct err *e), void *arg, struct err *e)
{
	_dir_ DIR *d = dir_of(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int r = 0;

	if (!d)
		return err_sys(e, errno, "the folder of usage");
	for (struct dirent *de; r == 0 && (de = readdir(d));)
		if (uuid_valid(de->d_name))
			r = each(de->d_name, arg, e);
	return r;
}

struct load {
	int dir;
	uint64_t from, to;
	struct usage_table *out;
};

static int load_one(const char *name, void *arg, struct err *e)
{
	struct load *l = arg;

	return load_pair(l->dir, name, l->from, l->to, l->out, e);
}

static int dir_open(const struct ctx *c)
{
	_free_ char *path = xprintf("%s/" USAGE_DIR, c->node.state);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int usage_load(const struct ctx *c, uint64_t from, uint64_t to, struct usage_table *out, struct err *e)
{
	_fd_ int dir = dir_open(c);
	struct load l = {dir, from, to, out};
	struct usage_table gone = {0};
	int r;

	*out = (struct usage_table){0};
	if (dir < 0)
		return dir == -ENOENT ? 0 : err_sys(e, dir, "%s/" USAGE_DIR, c->node.state);
	r = load_pair(dir, USAGE_HOST, from, to, out, e);
	if (r == 0)
		r = each_file(dir, load_one, &l, e);
	if (r == 0)
		r = load_pair(dir, USAGE_DELETED, from, to, &gone, e);
	if (r == 0)
		usage_rows_add(out, &gone);
	usage_table_done(&gone);
	if (r < 0)
		usage_table_done(out);
	else
		merge(out);
	return r;
}

struct now {
	const struct ctx *c;
	struct cg_host h;
	struct state *st;
};

static int sample_one(const char *uuid, const struct zone_run *run, void *arg)
{
	struct now *n = arg;

	if (run->running)
		usage_zone_now(n->c, &n->h, uuid, run->init_start);
	return 0;
}

/* Whose cgroup there is has just been sampled, or will be by who takes it down: it is either that or this. */
static int sample_stopped(const struct vm_row *row, void *arg)
{
	struct now *n = arg;
	_free_ char *cgroup = xprintf("%s/%s/%s", n->h.v2, n->h.root, row->uuid);

	if (access(cgroup, F_OK) < 0)
		usage_stopped_now(n->c, row->uuid, row->id_base, (uint64_t)row->create_ns);
	return 0;
}

void usage_vm_stopped(const struct vm *v)
{
	uint64_t made = 0;

	clock_parse_iso(vm_str(v->rec, "create_timestamp") ?: "", &made);
	usage_stopped_now(v->c, v->uuid, v->id_base, made);
}

void usage_vm_new(const struct ctx *c, const char *uuid)
{
	_free_ char *file = xprintf("%s/" USAGE_DIR "/%s", c->node.state, uuid);
	struct err e = ERR_INIT;

	if (access(file, F_OK) == 0 && usage_retire(c, uuid, &e) < 0)
		ctx_log(c, LOG_WARN, "%s", e.msg);
}

static int fold_one(const char *uuid, void *arg, struct err *e)
{
	struct now *n = arg;
	_free_ char *run = xprintf("%s/%s", n->c->node.run, uuid);
	int r = state_vm_has(n->st, uuid, e);

	/* a zone that runs on without its row (the database was lost) would be counted again from its boot on */
	if (r != 0 || access(run, F_OK) == 0)
		return r < 0 ? r : 0;
	return usage_retire(n->c, uuid, e);
}

int usage_fold(const struct ctx *c, struct state *st, struct err *e)
{
	_fd_ int dir = dir_open(c);
	struct now n = {.c = c, .st = st};

	return dir < 0 ? 0 : each_file(dir, fold_one, &n, e);
}

int usage_now(const struct ctx *c, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	struct now n = {.c = c};
	int r = state_open(c, STATE_READ, &st, e);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = cg_host_find(c, &n.h, e);
	if (r == 0)
		r = zone_each(c, sample_one, &n, e);
	if (r == 0)
		r = state_vm_each(st, 0, sample_stopped, &n, e);
	if (r < 0)
		return r;
	usage_host_now(c);
	return usage_fold(c, st, e);
}
