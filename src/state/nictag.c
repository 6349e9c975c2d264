/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

#define ID_MAX ((1u << 20) - 1)

static void from_row(sqlite3_stmt *st, struct state_nictag *t)
{
	snprintf(t->name, sizeof t->name, "%s", db_text(st, 0) ?: "");
	t->id = (uint32_t)sqlite3_column_int64(st, 1);
	t->etherstub = str_eq(db_text(st, 2), "etherstub");
	t->mtu = (uint32_t)sqlite3_column_int64(st, 3);
}

int state_nictag_get(struct state *s, const char *name, struct state_nictag *out, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_NICTAG_GET, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, name);
	r = db_step(s, st, e, "read a nic tag");
	if (r == 1)
		from_row(st, out);
	sqlite3_reset(st);
	if (r == 0) {
		err_set(e, ENOENT, "nic tag \"%s\" does not exist", name);
		err_hint(e, "`nictagadm list` shows those that do; `nictagadm add -l %s` makes a switch of this host alone.", name);
		return -ENOENT;
	}
	return r < 0 ? r : 0;
}

int state_nictag_add(struct state *s, const char *name, bool etherstub, uint32_t mtu, struct err *e)
{
	struct state_nictag t;
	uint64_t id = 0;
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	r = state_nictag_get(s, name, &t, NULL);
	if (r == 0)
		r = err_set(e, EEXIST, "nic tag \"%s\" already exists", name);
	else if (r == -ENOENT)
		r = state_next(s, "nictag", &id, e);
	if (r == 0 && id > ID_MAX)
		r = err_set(e, ENOSPC, "this node has had %u nic tags, which is all that there can be", ID_MAX);
	if (r == 0) {
		st = db_stmt(s, SQL_NICTAG_PUT, e);
		if (st) {
			db_bind_text(st, 1, name);
			sqlite3_bind_int64(st, 2, (sqlite3_int64)id);
			db_bind_text(st, 3, etherstub ? "etherstub" : "normal");
			sqlite3_bind_int64(st, 4, mtu);
		}
		r = db_run(s, st, e, "keep a nic tag");
	}
	return db_end(s, r, e);
}

int state_nictag_each(struct state *s, int (*each)(const struct state_nictag *, void *), void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_NICTAG_EACH, e);
	struct state_nictag t;
	int r;

	if (!st)
		return -EIO;
	while ((r = db_step(s, st, e, "read the nic tags")) == 1) {
		from_row(st, &t);
		r = each(&t, arg);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

int state_nictag_delete(struct state *s, const char *name, struct err *e)
{
	struct state_nictag t;
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	r = state_nictag_get(s, name, &t, e);
	if (r == 0) {
		st = db_stmt(s, SQL_NICTAG_DROP, e);
		if (st)
			db_bind_text(st, 1, name);
		r = db_run(s, st, e, "forget a nic tag");
	}
	return db_end(s, r, e);
}
