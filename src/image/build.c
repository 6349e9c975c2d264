/* SPDX-License-Identifier: MPL-2.0 */
/*
 *	row "installing" → dataset in .tmp → filled → manifest.json → on disk → images/<uuid> → read-only → row "active"
 *
 * (A read-only subvolume can't move between folders.)
 *
 * A row that says "installing" while nobody holds the image's lock was left by a kill: image_recover() clears both.
 */
#include "image/warm.h"
#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "image/manifest.h"

static int put_row(struct build *b, const char *istate, struct err *e)
{
	_free_ char *text = json_dumps(b->manifest, JSON_COMPACT);

	return state_image_put(b->st, b->uuid, istate, text, e);
}

static int record(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	/* a replaced image stays usable until the new one is there */
	return b->replace ? 0 : put_row(b, "installing", e);
}

static int unrecord(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;
	int r = b->replace ? 0 : state_image_delete(b->st, b->uuid, e);

	return r == -ENOENT ? 0 : r;
}

static int dataset(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	if (b->snapshot_of)
		return store_snapshot(b->s, b->snapshot_of, b->tmp, false, 0, e);
	return store_create(b->s, b->tmp, 0, e);
}

static int undataset(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	return *b->tmp ? store_destroy(b->s, b->tmp, e) : 0;
}

static int fill(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;
	_fd_ int ds = openat(store_fd(b->s), b->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (ds < 0)
		return err_sys(e, errno, "open %s", b->tmp);
	if (!b->snapshot_of && mkdirat(ds, "root", 0755) < 0)
		return err_sys(e, errno, "mkdir root");
	return b->fill(c, b, ds, e);
}

static int note(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;
	_free_ char *text = json_dumps(b->manifest, JSON_INDENT(2)),
		    *path = xprintf("%s/%s/manifest.json", c->node.pool, b->tmp);

	return file_replace(path, text, strlen(text), 0644, 0, e);
}

static int place(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	if (b->replace && store_exists(b->s, b->final)) {
		/* zones that run from it keep it; image_drop_old() takes it at the next boot */
		_free_ char *old = xprintf("images/.old-%s-%llx", b->uuid, (unsigned long long)clock_wall_ns());
		int r = store_rename(b->s, b->final, old, e);

		if (r == 0)
			r = warm_drop(b->s, b->uuid, e);
		if (r < 0)
			return r;
	}
	return store_rename(b->s, b->tmp, b->final, e);
}

static int unplace(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	int r = b->replace ? 0 : warm_drop(b->s, b->uuid, e);

	return b->replace || r < 0 ? r : store_destroy(b->s, b->final, e);
}

static int sync_pool(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	/* the row will say that it is there: then its bytes must be */
	if (syncfs(store_fd(b->s)) < 0)
		return err_sys(e, errno, "sync %s", c->node.pool);
	store_warn(c, b->s);
	return 0;
}

static int freeze(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	return store_readonly(b->s, b->final, true, e);
}

static int uppers(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	return upper_template(b->s, b->uuid, b->replace, e);
}

static int unuppers(struct ctx *c, void *op, struct err *e)
{
	struct build *b = op;

	return b->replace ? 0 : upper_drop(b->s, b->uuid, e);
}

static int activate(struct ctx *c, void *op, struct err *e)
{
	return put_row(op, "active", e);
}

static const struct step steps[] = {
	{"image-record", record, unrecord},   {"image-dataset", dataset, undataset},
	{"image-fill", fill, NULL},	      {"image-manifest", note, NULL},
	{"image-sync", sync_pool, NULL},      {"image-place", place, unplace},
	{"image-readonly", freeze, NULL},     {"image-upper", uppers, unuppers},
	{"image-activate", activate, NULL},
};

static int folder(struct build *b, const char *name, struct err *e)
{
	if (mkdirat(store_fd(b->s), name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "mkdir %s", name);
	return 0;
}

static int build_locked(struct ctx *c, struct build *b, struct err *e)
{
	_free_ char *istate = NULL, *what = xprintf("image %s", b->uuid);
	int r = state_image_get(b->st, b->uuid, &istate, NULL, NULL);

	if (r == 0 && !b->replace && !strcmp(istate, "active"))
		return err_set(e, EEXIST, "image %s is installed already", b->uuid);
	if (r == 0 && strcmp(istate, "active")) {
		/* ours now: what a kill left */
		r = steps_undo(c, what, steps, ARRAY_LEN(steps), b, e);
		if (r < 0)
			return r;
	}
	r = folder(b, "images", e);
	if (r < 0)
		return r;
	r = steps_run(c, what, steps, ARRAY_LEN(steps), b, e);
	if (r == 0)
		state_event(b->st, "image-installed", b->uuid, NULL, NULL);
	return r;
}

int image_build(struct ctx *c, struct build *b, struct err *e)
{
	_fd_ int lock = -1;

	snprintf(b->uuid, sizeof b->uuid, "%s", manifest_str(b->manifest, "uuid"));
	store_tmp_name(b->s, "image", b->tmp);
	snprintf(b->final, sizeof b->final, "images/%s", b->uuid);
	if (b->lock == 0) {
		lock = image_lock(c, b->uuid, false, false, e);
		if (lock < 0)
			return lock;
	}
	return build_locked(c, b, e);
}

/* ---- clearing up ---- */

struct sweep {
	struct state *st;
	struct store *s;
	char (*uuid)[37];
	char **name;
	size_t n;
};

static int unfinished(const char *uuid, const char *istate, const char *manifest, void *arg)
{
	struct sweep *w = arg;

	if (!strcmp(istate, "active"))
		return 0;
	w->uuid = xrealloc(w->uuid, (w->n + 1) * sizeof *w->uuid);
	snprintf(w->uuid[w->n++], 37, "%.36s", uuid);
	return 0;
}

int image_recover(struct ctx *c, struct state *st, struct store *s, struct err *e)
{
	struct sweep w = {.st = st, .s = s};
	int r = store_recover(s, e); /* what was in .tmp when its maker died */

	if (r >= 0)
		r = state_image_each(st, unfinished, &w, e);

	for (size_t i = 0; r >= 0 && i < w.n; i++) {
		struct build b = {.st = st, .s = s};
		_fd_ int lock = image_lock(c, w.uuid[i], false, true, NULL);

		if (lock < 0)
			continue; /* at work */
		memcpy(b.uuid, w.uuid[i], 37);
		snprintf(b.final, sizeof b.final, "images/%s", b.uuid);
		ctx_log(c, LOG_INFO, "image %s: was left unfinished, clearing it", b.uuid);
		r = steps_undo(c, "image", steps, ARRAY_LEN(steps), &b, e);
	}
	free(w.uuid);
	return r < 0 ? r : 0;
}

static int old_one(const char *name, uint64_t created, void *arg)
{
	struct sweep *w = arg;

	if (strncmp(name, ".old-", 5))
		return 0;
	w->name = xrealloc(w->name, (w->n + 1) * sizeof *w->name);
	w->name[w->n++] = xprintf("images/%s", name);
	return 0;
}

int image_drop_old(struct store *s, struct err *e)
{
	struct sweep w = {.s = s};
	int r = store_each(s, "images", old_one, &w, NULL);

	r = r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < w.n; i++) {
		if (r >= 0)
			r = store_destroy(s, w.name[i], e);
		free(w.name[i]);
	}
	free(w.name);
	return r < 0 ? r : 0;
}

static int adopt_one(const char *name, uint64_t created, void *arg)
{
	struct sweep *w = arg;

	if (!uuid_valid(name) || state_image_get(w->st, name, NULL, NULL, NULL) != -ENOENT)
		return 0;
	w->uuid = xrealloc(w->uuid, (w->n + 1) * sizeof *w->uuid);
	snprintf(w->uuid[w->n++], 37, "%.36s", name);
	return 0;
}

int image_adopt(struct ctx *c, struct state *st, struct store *s, struct err *e)
{
	struct sweep w = {.st = st, .s = s};
	int r = store_each(s, "images", adopt_one, &w, e), n = 0;

	if (r == -ENOENT)
		return 0;

	for (size_t i = 0; r >= 0 && i < w.n; i++) {
		_free_ char *path = xprintf("images/%s/manifest.json", w.uuid[i]), *text = NULL;
		_buf_ struct buf b = BUF_INIT;
		json_t *m = NULL;
		struct err le = ERR_INIT;

		/* one that does not read is not an image, and no reason to leave the others */
		if (file_read(store_fd(s), path, MANIFEST_MAX, &b, &le) < 0 ||
		    manifest_parse(buf_str(&b), b.len, &m, &le) < 0 || strcmp(manifest_str(m, "uuid"), w.uuid[i])) {
			ctx_log(c, LOG_WARN, "images/%s: not adopted: %s", w.uuid[i], le.code ? le.msg : "the manifest is another's");
			json_decref(m);
			continue;
		}
		text = json_dumps(m, JSON_COMPACT);
		r = state_image_put(st, w.uuid[i], "active", text, e);
		json_decref(m);
		n++;
	}
	free(w.uuid);
	return r < 0 ? r : n;
}
