/* SPDX-License-Identifier: MPL-2.0 */
/* Which VM a word means: a whole uuid, an alias, the name of its zone, or the beginning of a uuid. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "state/db.h"

#define PREFIX_MIN 8

struct matches {
	char uuid[UUID_LEN + 1];
	unsigned n;
	struct buf text;
};

static int collect(struct state *s, enum sql q, const char *word, struct matches *m, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, q, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, word);
	while ((r = db_step(s, st, e, "look up a VM")) == 1) {
		const char *uuid = db_text(st, 0), *alias = db_text(st, 1);

		/* A VM whose alias is the beginning of its own uuid is one match, not two. */
		if (m->n > 0 && !strcmp(m->uuid, uuid))
			continue;
		strncpy(m->uuid, uuid, UUID_LEN);
		if (++m->n > 1)
			buf_puts(&m->text, ", ");
		buf_printf(&m->text, alias ? "%s (%s)" : "%s", uuid, alias);
	}
	return r;
}

int state_vm_has(struct state *s, const char *uuid, struct err *e)
{
	sqlite3_stmt *st = db_stmt(s, SQL_VM_HAS, e);
	int r;

	if (!st)
		return -EIO;
	db_bind_text(st, 1, uuid);
	r = db_step(s, st, e, "look up a VM");
	sqlite3_reset(st);
	return r;
}

int state_vm_find(struct state *s, const char *word, char uuid[37], struct err *e)
{
	size_t n = strlen(word);
	struct matches m = {.n = 0};
	int r;

	if (n == UUID_LEN && uuid_valid(word)) {
		r = state_vm_get(s, word, NULL, NULL, NULL, e);
		if (r == 0)
			memcpy(uuid, word, UUID_LEN + 1);
		return r;
	}
	r = n == 0 ? 0 : collect(s, SQL_VM_ALIAS, word, &m, e);
	if (r == 0 && n >= PREFIX_MIN && n < UUID_LEN && strspn(word, "0123456789abcdef-") == n)
		r = collect(s, SQL_VM_PREFIX, word, &m, e);
	if (r == 0 && m.n == 0)
		r = err_set(e, ENOENT, "%s: No such zone configured", word);
	if (r == 0 && m.n > 1) {
		r = err_set(e, ENOTUNIQ, "\"%s\" means more than one VM: %s%s", word, buf_str(&m.text),
			    m.n >= 12 ? ", …" : "");
		err_hint(e, "Use the uuid.");
	}
	if (r == 0)
		memcpy(uuid, m.uuid, UUID_LEN + 1);
	buf_done(&m.text);
	return r;
}
