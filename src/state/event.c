/* SPDX-License-Identifier: MPL-2.0 */
/* The event feed: what happened to VMs, numbered, EVENTS_KEPT of it and EVENTS_EVERY more at most. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

/* ---- bounded ---- */

/* VMs with more than their share, those with most first. */
struct crowd {
	char (*uuid)[37];
	int64_t *n;
	size_t len, cap;
};

static int crowd_find(struct state *s, struct crowd *c, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_MOST, e);
	int r;

	if (!st)
		return -EIO;
	sqlite3_bind_int64(st, 1, EVENTS_SHARE);
	while ((r = db_step(s, st, e, "count events")) == 1) {
		if (c->len == c->cap) {
			c->cap = c->cap ? c->cap * 2 : 16;
			c->uuid = xrealloc(c->uuid, c->cap * sizeof *c->uuid);
			c->n = xrealloc(c->n, c->cap * sizeof *c->n);
		}
		snprintf(c->uuid[c->len], sizeof *c->uuid, "%s", db_text(st, 0));
		c->n[c->len++] = sqlite3_column_int64(st, 1);
	}
	return r;
}

/* How many each of them may keep, so that `over` go: the same number for all that lose any, and no less than the share. */
static int64_t crowd_level(const struct crowd *c, int64_t over)
{
	int64_t sum = 0, level = EVENTS_SHARE;

	for (size_t k = 0; k < c->len; k++) {
		sum += c->n[k];
		level = (sum - over) / (int64_t)(k + 1);
		if (k + 1 == c->len || level >= c->n[k + 1])
			break;
	}
	return level > EVENTS_SHARE ? level : EVENTS_SHARE;
}

/* The oldest n of a VM. What was dropped last is remembered: who asks for it is told. */
static int drop_of(struct state *s, const char *uuid, int64_t n, struct err *e)
{
	_free_ char *key = xprintf("events_cut:%s", uuid);
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_NTH, e);
	char cut[24];
	int64_t seq;
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, uuid);
	sqlite3_bind_int64(st, 2, n);
	r = db_step(s, st, e, "trim events");
	if (r != 1)
		return r;
	seq = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	st = db_stmt(s, SQL_EVENT_TRIM_VM, e);
	if (st) {
		db_bind_text(st, 1, uuid);
		sqlite3_bind_int64(st, 2, seq);
	}
	r = db_run(s, st, e, "trim events");
	snprintf(cut, sizeof cut, "%lld", (long long)seq);
	return r < 0 ? r : state_kv_set(s, key, cut, e);
}

/*
 * Where the oldest event of all is younger, that alone says the same, of VMs long deleted too. What is remembered is so of VMs
 * that still have their share in the log: of a hundred at most.
 */
static int drop_cuts(struct state *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_CUTS, e);

	return st ? db_run(s, st, e, "trim events") : -EIO;
}

/*
 * A zone can cause events without end, by rebooting. So those with the most lose their oldest first, and none of what others
 * have; only when nobody has more than his share the oldest of all go.
 */
static int trim(struct state *s, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_COUNT, e);
	struct crowd c = {.len = 0};
	int64_t over, level;
	int r = st ? db_step(s, st, e, "count events") : -EIO;

	if (r != 1)
		return r;
	over = sqlite3_column_int64(st, 0) - EVENTS_KEPT;
	sqlite3_reset(st);
	if (over <= 0)
		return 0;
	r = crowd_find(s, &c, e);
	level = crowd_level(&c, over);
	for (size_t i = 0; r == 0 && i < c.len && c.n[i] > level && over > 0; i++) {
		int64_t n = c.n[i] - level < over ? c.n[i] - level : over;

		r = drop_of(s, c.uuid[i], n, e);
		over -= n;
	}
	free(c.uuid);
	free(c.n);
	st = r == 0 && over > 0 ? db_stmt(s, SQL_EVENT_TRIM, e) : NULL;
	if (st) {
		sqlite3_bind_int64(st, 1, over);
		r = db_run(s, st, e, "trim events");
	}
	return r < 0 ? r : drop_cuts(s, e);
}

static int put(struct state *s, const char *kind, const char *uuid, const char *detail, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_PUT, e);
	int64_t seq;
	int r;

	if (!st)
		return -EIO;
	sqlite3_bind_int64(st, 1, (int64_t)clock_wall_ns());
	db_bind_text(st, 2, kind);
	db_bind_text(st, 3, uuid);
	db_bind_text(st, 4, detail);
	r = db_run(s, st, e, "add an event");
	if (r < 0)
		return r;
	s->told = true;
	seq = sqlite3_last_insert_rowid(s->db);
	return seq > EVENTS_KEPT && seq % EVENTS_EVERY == 0 ? trim(s, e) : 0;
}

int state_event(struct state *s, const char *kind, const char *uuid, const json_t *detail, struct err *e)
{
	_free_ char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
	int r = db_begin(s, true, e);

	return r < 0 ? r : db_end(s, put(s, kind, uuid, text, e), e);
}

static int one_seq(struct state *s, enum sql q, uint64_t *seq, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, q, e);
	int r = st ? db_step(s, st, e, "read events") : -EIO;

	if (r != 1)
		return r;
	*seq = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

int state_event_first(struct state *s, uint64_t *seq, struct err *e)
{
	return one_seq(s, SQL_EVENT_FIRST, seq, e);
}

int state_event_cut(struct state *s, const char *uuid, uint64_t *seq, struct err *e)
{
	_free_ char *key = xprintf("events_cut:%s", uuid), *text = NULL;
	int r = state_kv_get(s, key, &text, NULL);

	*seq = 0;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_set(e, r, "read events") : str_to_u64(text, seq) == 0 ? 0 : err_set(e, EBADMSG, "%s: \"%s\"", key, text);
}

int state_event_last(struct state *s, uint64_t *seq, struct err *e)
{
	return one_seq(s, SQL_EVENT_LAST, seq, e);
}

int state_event_each(struct state *s, uint64_t since_seq, const char *uuid_or_null,
		     int (*each)(uint64_t seq, uint64_t wall_ns, const char *kind, const char *uuid, const char *detail, void *arg),
		     void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_EVENT_EACH, e);
	int r;

	if (!st)
		return -EIO;
	sqlite3_bind_int64(st, 1, (int64_t)since_seq);
	db_bind_text(st, 2, uuid_or_null);
	while ((r = db_step(s, st, e, "read events")) == 1) {
		r = each((uint64_t)sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1), db_text(st, 2),
			 db_text(st, 3), db_text(st, 4), arg);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}
