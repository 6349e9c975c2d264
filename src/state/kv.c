/* SPDX-License-Identifier: MPL-2.0 */
/* Counters and named texts. */
#include <errno.h>

#include "base/buf.h"
#include "state/db.h"

int state_next(struct state *s, const char *counter, uint64_t *out, struct err *e)
{
	uint64_t n = 0;
	sqlite3_stmt *st;
	int r = db_begin(s, true, e);

	if (r < 0)
		return r;
	st = db_stmt(s, SQL_NEXT, e);
	if (st)
		db_bind_text(st, 1, counter);
	r = st ? db_step(s, st, e, "count") : -EIO;
	if (r == 1) {
		n = (uint64_t)sqlite3_column_int64(st, 0);
		/* The row comes before the statement is done; only its end makes the change. */
		r = db_step(s, st, e, "count");
	}
	r = db_end(s, r, e);
	if (r == 0)
		*out = n;
	return r;
}

int state_kv_set(struct state *s, const char *key, const char *value, struct err *e)
{
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	st = db_stmt(s, value ? SQL_KV_PUT : SQL_KV_DROP, e);
	if (st) {
		db_bind_text(st, 1, key);
		if (value)
			db_bind_text(st, 2, value);
	}
	return db_end(s, db_run(s, st, e, "keep a value"), e);
}

static int do_with(struct state *s, enum sql q, const char *text, uint64_t a, uint64_t b, struct err *e, const char *what)
{
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	st = db_stmt(s, q, e);
	if (st) {
		db_bind_text(st, 1, text);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)a);
		sqlite3_bind_int64(st, 3, (sqlite3_int64)b);
	}
	return db_end(s, db_run(s, st, e, what), e);
}

int state_kv_trim(struct state *s, const char *what, unsigned at, uint64_t below, struct err *e)
{
	return do_with(s, SQL_KV_TRIM, what, at, below, e, "drop old values");
}

int state_kv_get(struct state *s, const char *key, char **value, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_KV_GET, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, key);
	r = db_step(s, st, e, "read a value");
	if (r == 0)
		return err_set(e, ENOENT, "%s: no value \"%s\"", s->path, key);
	if (r < 0)
		return r;
	*value = xstrdup(db_text(st, 0));
	sqlite3_reset(st);
	return 0;
}

int state_kv_stamp(struct state *s, const char *key, unsigned keep, uint64_t number, struct err *e)
{
	return do_with(s, SQL_KV_STAMP, key, keep, number, e, "stamp a value");
}
