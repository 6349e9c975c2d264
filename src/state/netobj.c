/* SPDX-License-Identifier: MPL-2.0 */
/* What the network has beside VMs and nic tags: JSON objects, each with a name of its kind. */
#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "state/db.h"

static json_t *from_text(struct state *s, const char *kind, const char *name, const char *text, struct err *e)
{
	json_t *v = json_loads(text ?: "", JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(v))
		return v;
	json_decref(v);
	err_set(e, EUCLEAN, "%s: %s %s is not a JSON object", s->path, kind, name);
	return NULL;
}

int state_net_put(struct state *s, const char *kind, const char *name, const json_t *value, struct err *e)
{
	_free_ char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	sqlite3_stmt *st;
	int r;

	if (!text || !json_is_object(value))
		return err_set(e, EINVAL, "%s %s is not a JSON object", kind, name);
	r = db_begin(s, false, e);
	if (r < 0)
		return r;
	st = db_stmt(s, SQL_NETOBJ_PUT, e);
	if (st) {
		db_bind_text(st, 1, kind);
		db_bind_text(st, 2, name);
		db_bind_text(st, 3, text);
	}
	return db_end(s, db_run(s, st, e, "keep an object of the network"), e);
}

int state_net_get(struct state *s, const char *kind, const char *name, json_t **value, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_NETOBJ_GET, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, kind);
	db_bind_text(st, 2, name);
	r = db_step(s, st, e, "read an object of the network");
	if (r == 0)
		return err_set(e, ENOENT, "%s %s does not exist", kind, name);
	if (r < 0)
		return r;
	*value = from_text(s, kind, name, db_text(st, 0), e);
	sqlite3_reset(st);
	return *value ? 0 : -EUCLEAN;
}

int state_net_each_text(struct state *s, const char *kind, int (*each)(const char *name, const char *text, void *arg), void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_NETOBJ_EACH, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, kind);
	while ((r = db_step(s, st, e, "read the objects of the network")) == 1) {
		r = each(db_text(st, 0) ?: "", db_text(st, 1) ?: "", arg);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

int state_net_each(struct state *s, const char *kind, int (*each)(const char *name, const json_t *value, void *arg), void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_NETOBJ_EACH, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, kind);
	while ((r = db_step(s, st, e, "read the objects of the network")) == 1) {
		const char *name = db_text(st, 0) ?: "";
		json_t *v = from_text(s, kind, name, db_text(st, 1), e);

		r = v ? each(name, v, arg) : -EUCLEAN;
		json_decref(v);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

int state_net_delete(struct state *s, const char *kind, const char *name, struct err *e)
{
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	st = db_stmt(s, SQL_NETOBJ_DROP, e);
	if (st) {
		db_bind_text(st, 1, kind);
		db_bind_text(st, 2, name);
	}
	return db_end(s, db_run(s, st, e, "forget an object of the network"), e);
}
