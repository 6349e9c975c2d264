/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ranges of 65,536 host user ids: the lowest free one, whatever the number of zones. Ranges are handed out upwards;
 * those that came back, and those that were skipped because the host uses them, wait in id_free. A range that is asked
 * for by number is the VM's if no other has it (the table's own constraint).
 */
#include <errno.h>

#include "state/db.h"

#define RANGE 65536u

static bool skipped(const uint32_t *skip, size_t n, int64_t base)
{
	for (size_t i = 0; i < n; i++)
		if (skip[i] == base)
			return true;
	return false;
}

/* A query over the bases in [lo, hi). */
static sqlite3_stmt *between(struct state *s, enum sql q, int64_t lo, int64_t hi, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, q, e);

	if (st) {
		sqlite3_bind_int64(st, 1, lo);
		sqlite3_bind_int64(st, 2, hi);
	}
	return st;
}

static int one_int(struct state *s, enum sql q, int64_t lo, int64_t hi, int64_t *v, struct err *e)
{
	sqlite3_stmt *st = between(s, q, lo, hi, e);
	int r;

	if (!st)
		return -EIO;
	r = db_step(s, st, e, "user id ranges");
	if (r == 1) {
		*v = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return r;
}

static int with_base(struct state *s, enum sql q, int64_t base, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, q, e);

	if (st)
		sqlite3_bind_int64(st, 1, base);
	return db_run(s, st, e, "user id ranges");
}

/* The lowest one that came back and is not the host's. 1 found, 0 none. */
static int from_freed(struct state *s, int64_t lo, int64_t hi, const uint32_t *skip, size_t nskip, int64_t *base,
		      struct err *e)
{
	sqlite3_stmt *st = between(s, SQL_ID_FREE_EACH, lo, hi, e);
	int r;

	if (!st)
		return -EIO;
	while ((r = db_step(s, st, e, "user id ranges")) == 1) {
		*base = sqlite3_column_int64(st, 0);
		if (!skipped(skip, nskip, *base))
			break;
	}
	sqlite3_reset(st);
	return r;
}

/* The end of the node's share is reached: any hole that nobody wrote down (the share was moved). */
static int from_holes(struct state *s, int64_t lo, int64_t hi, const uint32_t *skip, size_t nskip, int64_t *base,
		      struct err *e)
{
	sqlite3_stmt *st = between(s, SQL_ID_EACH, lo, hi, e);
	int64_t next = lo;
	int r;

	if (!st)
		return -EIO;
	while ((r = db_step(s, st, e, "user id ranges")) == 1) {
		int64_t used = sqlite3_column_int64(st, 0);

		while (next < used && skipped(skip, nskip, next))
			next += RANGE;
		if (next < used)
			break;
		next = used + RANGE;
	}
	sqlite3_reset(st);
	if (r < 0)
		return r;
	while (next < hi && skipped(skip, nskip, next))
		next += RANGE;
	if (next >= hi)
		return 0;
	*base = next;
	return 1;
}

int idrange_take(struct state *s, const uint32_t *skip, size_t nskip, uint32_t *out, struct err *e)
{
	int64_t lo = s->c->node.id_base, hi = lo + (int64_t)s->c->node.id_count * RANGE, base = *out;
	int r = 1;

	if (!base)
		r = from_freed(s, lo, hi, skip, nskip, &base, e);
	else if (base < lo || base >= hi || (base - lo) % RANGE)
		return err_set(e, ERANGE, "user ids from %lld on are not a range of node %s", (long long)base, s->c->node.name);
	if (r == 0) {
		r = one_int(s, SQL_ID_TOP, lo, hi, &base, e);
		if (r < 0)
			return r;
		base = base == 0 ? lo : base + RANGE;
		for (r = 1; r == 1 && base < hi && skipped(skip, nskip, base); base += RANGE) {
			int p = with_base(s, SQL_ID_FREE_PUT, base, e);

			if (p < 0)
				r = p;
		}
		if (r == 1 && base >= hi)
			r = from_holes(s, lo, hi, skip, nskip, &base, e);
	}
	if (r < 0)
		return r;
	if (r == 0) {
		err_set(e, EUSERS, "all %u user id ranges of node %s are in use", s->c->node.id_count, s->c->node.name);
		err_hint(e, "Delete a VM, or raise id_count in %s/node.conf.", s->c->node.etc);
		return -EUSERS;
	}
	r = with_base(s, SQL_ID_FREE_DROP, base, e);
	if (r == 0)
		*out = (uint32_t)base;
	return r;
}

int idrange_free(struct state *s, uint32_t base, struct err *e)
{
	return with_base(s, SQL_ID_FREE_PUT, base, e);
}
