/* SPDX-License-Identifier: MPL-2.0 */
/* The event feed: what happened to VMs, numbered, the newest EVENTS_KEPT of it. */
#include <errno.h>

#include "base/clock.h"
#include "base/own.h"
#include "state/db.h"

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
	if (seq <= EVENTS_KEPT)
		return 0;
	st = db_stmt(s, SQL_EVENT_TRIM, e);
	if (st)
		sqlite3_bind_int64(st, 1, seq - EVENTS_KEPT);
	return db_run(s, st, e, "trim events");
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
