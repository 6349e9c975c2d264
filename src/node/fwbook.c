/* SPDX-License-Identifier: MPL-2.0 */
#include "node/fwbook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"

void fwlists_init(struct fwlists *l, struct state *st)
{
	*l = (struct fwlists){.st = st, .book = xalloc(sizeof(struct fwbook))};
}

void fwlists_done(struct fwlists *l)
{
	for (size_t i = 0; l->book && i < BUCKETS; i++)
		while (l->book->bucket[i]) {
			struct page *p = l->book->bucket[i];

			l->book->bucket[i] = p->next;
			fw_rule_done(&p->rule);
			free(p);
		}
	for (size_t i = 0; l->book && i < BUCKETS; i++)
		while (l->book->use[i]) {
			struct use *u = l->book->use[i];

			l->book->use[i] = u->next;
			free(u->set);
			free(u->page);
			free(u);
		}
	if (l->book)
		json_decref(l->book->bad);
	free(l->book);
	fwsets_done(&l->sets);
	for (size_t i = 0; i < l->n; i++)
		free((struct fw_entry *)l->list[i].entry);
	free(l->list);
	*l = (struct fwlists){.st = NULL};
}

int fwlists_sets(struct fwlists *l, struct err *e)
{
	int r = fwsets_load(l->st, &l->sets, e);

	l->have_sets = r == 0;
	return r;
}

/* ---- all rules in one read ---- */

/*
 * The string of a name in an object of names and plain values without a backslash anywhere, where quotes stand around strings and nowhere
 * else. 1 with where it is, 0: there is none.
 */
static int flat(const char *text, const char *name, const char **at, size_t *n)
{
	size_t len = strlen(name);

	for (const char *p = strchr(text, '"'); p; p = strchr(p, '"')) {
		const char *end = strchr(++p, '"');
		bool is;

		if (!end || end[1] != ':')
			return 0;
		is = (size_t)(end - p) == len && !memcmp(p, name, len);
		p = end + 2;
		if (*p != '"') { /* true, false */
			*at = p;
			*n = strcspn(p, ",}");
			p += *n;
		} else {
			*at = ++p;
			end = strchr(p, '"');
			if (!end)
				return 0;
			*n = (size_t)(end - p);
			p = end + 1;
		}
		if (is)
			return 1;
	}
	return 0;
}

struct use **fwbook_at(struct fwlists *l, const char *set)
{
	struct use **at = &l->book->use[str_hash(set, strlen(set)) % BUCKETS];

	while (*at && strcmp((*at)->set, set))
		at = &(*at)->next;
	return at;
}

static struct use *use_of(struct fwlists *l, const char *set)
{
	struct use **at = fwbook_at(l, set);

	if (!*at) {
		*at = xalloc(sizeof **at);
		(*at)->set = xstrdup(set);
	}
	return *at;
}

static void name_page(struct fwlists *l, const char *set, struct page *p)
{
	struct use *u = use_of(l, set);

	if (u->n && u->page[u->n - 1] == p)
		return; /* both sides name it */
	if ((u->n & (u->n - 1)) == 0)
		u->page = xrealloc(u->page, (u->n ? u->n * 2 : 1) * sizeof *u->page);
	u->page[u->n++] = p;
}

/* Takes p. */
static void file_page(struct fwlists *l, struct page *p)
{
	struct page **at = &l->book->bucket[str_hash(p->uuid, strlen(p->uuid)) % BUCKETS];
	const struct fw_side *sides[] = {&p->rule.from, &p->rule.to};

	fw_uuid_bytes(p->uuid, p->id);
	p->next = *at;
	*at = p;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < sides[i]->n; k++)
			if (fw_target_vms(&sides[i]->t[k])) {
				_free_ char *set = fw_set_name(p->scope, &sides[i]->t[k]);

				name_page(l, set, p);
			}
}

static int read_page(const char *uuid, const char *text, void *arg)
{
	struct fwlists *l = arg;
	const char *on = "", *owner, *words = "", *log;
	size_t non = 0, nowner, nwords = 0, nlog;
	bool plain = !strchr(text, '\\') && flat(text, "enabled", &on, &non) && flat(text, "rule", &words, &nwords);
	_json_ json_t *o = plain ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	char rule[FW_TEXT_MAX + 1];
	struct page *p;
	int r;

	if (!plain) {
		if (!json_is_object(o)) /* not taken for one that is not in force */
			return json_object_set_new(l->book->bad, uuid, json_null());
		on = vm_bool(o, "enabled", false) ? "true" : "false";
		owner = fwobj_scope(o);
		words = vm_str(o, "rule") ?: "";
		log = vm_bool(o, "log", false) ? "true" : "false";
		nlog = strlen(log);
		non = strlen(on), nowner = strlen(owner), nwords = strlen(words);
	} else {
		if (!flat(text, "owner_uuid", &owner, &nowner))
			owner = FW_GLOBAL, nowner = strlen(owner);
		if (!flat(text, "log", &log, &nlog))
			nlog = 0;
	}
	if (non != 4 || memcmp(on, "true", 4))
		return 0;
	snprintf(rule, sizeof rule, "%.*s", (int)(nwords < sizeof rule ? nwords : 0), words);
	p = xalloc(sizeof *p);
	snprintf(p->uuid, sizeof p->uuid, "%s", uuid);
	snprintf(p->scope, sizeof p->scope, "%.*s", (int)nowner, owner);
	p->log = nlog == 4 && !memcmp(log, "true", 4);
	r = fw_parse(rule, &p->rule, NULL);
	if (r < 0) {
		free(p);
		return json_object_set_new(l->book->bad, uuid, json_null());
	}
	file_page(l, p);
	return 0;
}

struct marking {
	struct fwlists *l;
	const char *uuid;
};

static int mark_bad(const char *set, void *arg)
{
	const struct marking *m = arg;
	struct use *u = use_of(m->l, set);

	snprintf(u->bad, sizeof u->bad, "%s", m->uuid);
	return 0;
}

/* It concerns those VMs that it concerned when it was stored, and no others. */
static int mark_all_bad(struct fwlists *l, struct err *e)
{
	const char *uuid;
	json_t *v;
	int r = 0;

	json_object_foreach(l->book->bad, uuid, v)
		if (r == 0)
			r = fwset_each_blind(l->st, uuid, mark_bad, &(struct marking){l, uuid}, e);
	return r;
}

int fwlists_all(struct fwlists *l, struct err *e)
{
	int r = fwlists_sets(l, e);

	l->e = e;
	l->book->bad = json_object();
	if (r == 0)
		r = state_net_each_text(l->st, "rule", read_page, l, e);
	if (r == 0)
		r = mark_all_bad(l, e);
	for (size_t i = 0; i < l->sets.n; i++)
		use_of(l, l->sets.set[i].name)->id = l->sets.set[i].id;
	l->have_rules = r == 0;
	return r;
}


/* Within one read of the store; a rule that is named and not there has been damaged by hand. */
static int look_up(struct fwlists *l, const char *uuid, struct page **out, struct err *e)
{
	struct page **at = &l->book->bucket[str_hash(uuid, strlen(uuid)) % BUCKETS], *p;
	_json_ json_t *o = NULL;
	int r;

	for (p = *at; p; p = p->next)
		if (!strcmp(p->uuid, uuid)) {
			*out = p;
			return 0;
		}
	r = state_net_get(l->st, "rule", uuid, &o, e);
	if (r < 0)
		return r == -EUCLEAN ? fwrule_bad(e, uuid, r) : r;
	p = xalloc(sizeof *p);
	snprintf(p->uuid, sizeof p->uuid, "%s", uuid);
	snprintf(p->scope, sizeof p->scope, "%s", fwobj_scope(o));
	r = fw_parse(vm_str(o, "rule") ?: "", &p->rule, e);
	if (r < 0) {
		free(p);
		return fwrule_bad(e, uuid, -EUCLEAN);
	}
	p->log = vm_bool(o, "log", false);
	fw_uuid_bytes(uuid, p->id);
	p->next = *at;
	*at = p;
	*out = p;
	return 0;
}

int fwbook_note(const char *uuid, const json_t *value, void *arg)
{
	json_object_set_new(arg, uuid, json_null());
	return 0;
}

int fwbook_uses(struct fwlists *l, const char *set, const struct use **out, struct err *e)
{
	struct use **at = &l->book->use[str_hash(set, strlen(set)) % BUCKETS], *u;
	_free_ char *kind = NULL;
	_json_ json_t *uuids = NULL;
	const char *uuid;
	json_t *v;
	int r;

	for (u = *at; u; u = u->next)
		if (!strcmp(u->set, set)) {
			*out = u;
			return 0;
		}
	if (l->have_rules)
		return 0; /* nobody names it */
	kind = xprintf("fwuse %s", set);
	uuids = json_object();
	r = state_net_each(l->st, kind, fwbook_note, uuids, e);
	if (r < 0)
		return r;
	u = xalloc(sizeof *u);
	u->set = xstrdup(set);
	u->page = xalloc((json_object_size(uuids) + 1) * sizeof *u->page);
	u->next = *at;
	*at = u;
	json_object_foreach(uuids, uuid, v)
		if (r == 0) {
			r = look_up(l, uuid, &u->page[u->n], e);
			u->n += r == 0;
		}
	*out = u;
	return r;
}
