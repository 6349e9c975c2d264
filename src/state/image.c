/* SPDX-License-Identifier: MPL-2.0 */
/* Image rows: uuid, state, manifest; who uses one is answered from the VMs' and images' own columns. */
#include <errno.h>

#include "base/buf.h"
#include "base/own.h"
#include "state/db.h"

int state_image_put(struct state *s, const char *uuid, const char *istate, const char *manifest, struct err *e)
{
	json_error_t je;
	json_t *m = json_loads(manifest, JSON_REJECT_DUPLICATES, &je);
	sqlite3_stmt *st;
	int r;

	if (!json_is_object(m)) {
		json_decref(m);
		return err_set(e, EINVAL, "the manifest of image %s is not a JSON object: %s", uuid, je.text);
	}
	r = db_begin(s, false, e);
	if (r == 0) {
		st = db_stmt(s, SQL_IMAGE_PUT, e);
		if (st) {
			db_bind_text(st, 1, uuid);
			db_bind_text(st, 2, istate);
			db_bind_text(st, 3, json_string_value(json_object_get(m, "origin")));
			db_bind_text(st, 4, manifest);
		}
		r = db_end(s, db_run(s, st, e, "record an image"), e);
	}
	json_decref(m);
	return r;
}

int state_image_get(struct state *s, const char *uuid, char **istate, char **manifest, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_IMAGE_GET, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, uuid);
	r = db_step(s, st, e, "read an image");
	if (r == 0)
		return err_set(e, ENOENT, "image %s is not installed", uuid);
	if (r < 0)
		return r;
	if (istate)
		*istate = xstrdup(db_text(st, 0));
	if (manifest)
		*manifest = xstrdup(db_text(st, 1));
	sqlite3_reset(st);
	return 0;
}

int state_image_each(struct state *s, int (*each)(const char *uuid, const char *istate, const char *manifest, void *arg),
		     void *arg, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_IMAGE_EACH, e);
	int r;

	if (!st)
		return -EIO;
	while ((r = db_step(s, st, e, "read the images")) == 1) {
		r = each(db_text(st, 0), db_text(st, 1), db_text(st, 2), arg);
		if (r < 0)
			break;
	}
	sqlite3_reset(st);
	return r;
}

/* 0 if nobody does; else -EBUSY with who. */
static int users(struct state *s, enum sql q, const char *uuid, const char *what, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, q, e);
	_buf_ struct buf who = BUF_INIT;
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, uuid);
	while ((r = db_step(s, st, e, "look for users of an image")) == 1) {
		const char *u = db_text(st, 0), *alias = db_text(st, 1);

		buf_printf(&who, alias ? "%s%s (%s)" : "%s%s", who.len ? ", " : "", u, alias);
	}
	if (r == 0 && who.len)
		r = err_set(e, EBUSY, "image %s is in use by %s %s", uuid, what, buf_str(&who));
	return r;
}

int state_image_users(struct state *s, const char *uuid, struct err *e)
{
	int r = users(s, SQL_IMAGE_VMS, uuid, "VM", e);

	return r == 0 ? users(s, SQL_IMAGE_CHILDREN, uuid, "image", e) : r;
}

int state_image_delete(struct state *s, const char *uuid, struct err *e)
{
	sqlite3_stmt *st;
	int r = db_begin(s, false, e);

	if (r < 0)
		return r;
	r = state_image_get(s, uuid, NULL, NULL, e);
	if (r == 0)
		r = state_image_users(s, uuid, e);
	if (r == 0) {
		st = db_stmt(s, SQL_IMAGE_DROP, e);
		if (st)
			db_bind_text(st, 1, uuid);
		r = db_run(s, st, e, "delete an image");
	}
	return db_end(s, r, e);
}
