/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/migmsg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "base/str.h"
#include "hvm/migsnap.h"
#include "model/vm.h"

enum { SESSION = 1, UUID = 2, NODE = 4, WHY = 8, MACHINE = 16 };

static const struct {
	const char *name;
	unsigned has;
} words[MIG_WORDS] = {
	[MIG_OFFER] = {"offer", SESSION | MACHINE},
	[MIG_DISK] = {"disk", SESSION | NODE},
	[MIG_MEMORY] = {"memory", SESSION},
	[MIG_SNAPSHOTS] = {"snapshots", SESSION},
	[MIG_GO] = {"go", 0},
	[MIG_ASK] = {"ask", SESSION | UUID},
	[MIG_READY] = {"ready", 0},
	[MIG_NO] = {"no", WHY},
	[MIG_OK] = {"ok", 0},
	[MIG_RUNS] = {"runs", 0},
	[MIG_TAKEN] = {"taken", 0},
	[MIG_NOT] = {"not", 0},
	[MIG_BUSY] = {"busy", 0},
};

/* The text of a member, where it is one that fits and has no zero in it. */
static bool text_of(const json_t *o, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(o, key);
	size_t n = json_string_length(v);

	if (!json_is_string(v) || n >= size || strlen(json_string_value(v)) != n)
		return false;
	memcpy(out, json_string_value(v), n + 1);
	return true;
}

/* How many snapshots it brings, and bytes of theirs: none where nothing is said. */
static bool announced(struct migmsg *m)
{
	const json_t *o = json_object_get(m->json, "snapshots"), *n = json_object_get(o, "count"), *bytes = json_object_get(o, "bytes");

	if (!o)
		return true;
	if (!json_is_integer(n) || !json_is_integer(bytes) || json_integer_value(n) < 1 || json_integer_value(n) > MIGSNAP_MOST || json_integer_value(bytes) < 0)
		return false;
	m->snapshots = (unsigned)json_integer_value(n);
	m->snapshot_bytes = (uint64_t)json_integer_value(bytes);
	return true;
}

static bool members(unsigned has, struct migmsg *m)
{
	const json_t *why = json_object_get(m->json, "why"), *hint = json_object_get(m->json, "hint");

	if ((has & SESSION) && (!text_of(m->json, "session", m->session, sizeof m->session) || strlen(m->session) != MIGMSG_SESSION ||
				strspn(m->session, "0123456789abcdef") != MIGMSG_SESSION))
		return false;
	if ((has & UUID) && (!text_of(m->json, "uuid", m->uuid, sizeof m->uuid) || !uuid_valid(m->uuid)))
		return false;
	if ((has & NODE) && (!text_of(m->json, "node", m->node, sizeof m->node) || !*m->node ||
			     strspn(m->node, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(m->node)))
		return false;
	if ((has & MACHINE) && (!json_is_object(json_object_get(m->json, "record")) || !json_is_object(json_object_get(m->json, "layout")) ||
				json_integer_value(json_object_get(m->json, "version")) != MIGMSG_VERSION))
		return false;
	if ((has & MACHINE) && !announced(m))
		return false;
	if (has & WHY) {
		if (!json_is_string(why))
			return false;
		safe_text(m->why, sizeof m->why, json_string_value(why), json_string_length(why));
		if (json_is_string(hint))
			safe_text(m->hint, sizeof m->hint, json_string_value(hint), json_string_length(hint));
	}
	return true;
}

int migmsg_parse(const char *text, size_t n, struct migmsg *m, struct err *e)
{
	struct migmsg got = MIGMSG_INIT;
	const char *say;
	int r = n > MIGMSG_MAX ? -EPROTO : vm_parse(text, n, &got.json, NULL);

	say = r == 0 && json_is_object(got.json) ? vm_str(got.json, "say") : NULL;
	got.word = MIG_WORDS;
	for (int i = 0; say && i < MIG_WORDS; i++)
		if (str_eq(words[i].name, say))
			got.word = (enum migmsg_word)i;
	if (got.word == MIG_WORDS || (got.word != MIG_OFFER && n > MIGMSG_SHORT) || !members(words[got.word].has, &got)) {
		migmsg_done(&got);
		return err_set(e, EPROTO, "the other node says what is not understood here");
	}
	*m = got;
	return 0;
}

void migmsg_done(struct migmsg *m)
{
	json_decref(m->json);
	*m = MIGMSG_INIT;
}

char *migmsg_text(enum migmsg_word word, json_t *more)
{
	_json_ json_t *o = more ?: json_object();
	_free_ char *text = NULL;

	json_object_set_new(o, "say", json_string(words[word].name));
	text = json_dumps(o, JSON_COMPACT);
	return xprintf("%s\n", text);
}
