/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/imgadm.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

int imgadm_open(struct ctx *c, enum state_mode m, bool pool, struct imgadm *out, struct err *e)
{
	struct imgadm i = {NULL, NULL};
	int r = state_open(c, m, &i.st, e);

	if (r == -ENOENT && m == STATE_READ)
		r = 0;
	if (r == 0 && pool) {
		r = pool_attach(c, e);
		if (r >= 0)
			r = store_open(c, &i.s, e);
		if (r == 0)
			r = image_recover(c, i.st, i.s, e);
	}
	if (r < 0) {
		imgadm_close(&i);
		return r;
	}
	*out = i;
	return 0;
}

void imgadm_close(struct imgadm *i)
{
	if (i->s)
		store_close(&i->s);
	state_close(&i->st);
}

int imgadm_fail(const struct ctx *c, const struct err *e)
{
	int r = cmd_fail(c, e);

	return e->code == ENOENT ? IMGADM_NOT_INSTALLED : r;
}

struct find {
	const char *word;
	size_t len, n;
	char uuid[37];
};

static int match(const char *uuid, const char *istate, const char *manifest, void *arg)
{
	struct find *f = arg;

	if (!strcmp(istate, "active") && !strncmp(uuid, f->word, f->len)) {
		memcpy(f->uuid, uuid, 37);
		f->n++;
	}
	return 0;
}

int imgadm_find(struct state *st, const char *word, char uuid[37], struct err *e)
{
	struct find f = {.word = word, .len = strlen(word)};
	int r = 0;

	if (f.len < 8 || f.len > UUID_LEN || strspn(word, "0123456789abcdef-") != f.len)
		return err_set(e, EINVAL, "\"%s\" is not a uuid (or 8 and more characters of one)", word);
	if (st)
		r = state_image_each(st, match, &f, e);
	if (r < 0)
		return r;
	if (f.n > 1)
		return err_set(e, ENOTUNIQ, "%zu images begin with %s", f.n, word);
	if (f.n == 0) {
		err_set(e, ENOENT, "image %s is not installed", word);
		return err_hint(e, "`imgadm list` shows what is installed");
	}
	memcpy(uuid, f.uuid, 37);
	return 0;
}
