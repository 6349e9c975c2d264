/* SPDX-License-Identifier: MPL-2.0 */
/* What concerns a VM: read by the names of the sets that it is in, compiled, many at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/fwset.h"

#define BUCKETS 4096

/* A rule is read and parsed once, and so is what names a set, for however many VMs. */
struct page {
	char uuid[UUID_LEN + 1];
	char scope[UUID_LEN + 1];
	uint8_t id[16];
	bool log;
	struct fw_rule rule;
	uint64_t turn; /* whose list it was last added to */
	struct page *next;
};

struct use {
	char *set;
	struct page **page;
	size_t n;
	struct use *next;
};

struct fwbook {
	struct page *bucket[BUCKETS];
	struct use *use[BUCKETS];
	uint64_t turn;
};

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

static struct use **use_at(struct fwlists *l, const char *set)
{
	struct use **at = &l->book->use[str_hash(set, strlen(set)) % BUCKETS];

	while (*at && strcmp((*at)->set, set))
		at = &(*at)->next;
	return at;
}

static void name_page(struct fwlists *l, const char *set, struct page *p)
{
	struct use **at = use_at(l, set);

	if (!*at) {
		*at = xalloc(sizeof **at);
		(*at)->set = xstrdup(set);
	}
	if ((*at)->n && (*at)->page[(*at)->n - 1] == p)
		return; /* both sides name it */
	if (((*at)->n & ((*at)->n - 1)) == 0)
		(*at)->page = xrealloc((*at)->page, ((*at)->n ? (*at)->n * 2 : 1) * sizeof *(*at)->page);
	(*at)->page[(*at)->n++] = p;
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
			return err_set(l->e, EUCLEAN, "rule %s is not a JSON object", uuid);
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
	r = fw_parse(rule, &p->rule, l->e);
	if (r < 0) {
		free(p);
		return err_add(l->e, "rule %s", uuid);
	}
	file_page(l, p);
	return 0;
}

int fwlists_all(struct fwlists *l, struct err *e)
{
	int r = fwlists_sets(l, e);

	l->e = e;
	if (r == 0)
		r = state_net_each_text(l->st, "rule", read_page, l, e);
	l->have_rules = r == 0;
	return r;
}

/* ---- */

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
		return r;
	p = xalloc(sizeof *p);
	snprintf(p->uuid, sizeof p->uuid, "%s", uuid);
	snprintf(p->scope, sizeof p->scope, "%s", fwobj_scope(o));
	r = fw_parse(vm_str(o, "rule") ?: "", &p->rule, e);
	if (r < 0) {
		free(p);
		return err_add(e, "rule %s", uuid);
	}
	p->log = vm_bool(o, "log", false);
	fw_uuid_bytes(uuid, p->id);
	p->next = *at;
	*at = p;
	*out = p;
	return 0;
}

static int note(const char *uuid, const json_t *value, void *arg)
{
	json_object_set_new(arg, uuid, json_null());
	return 0;
}

/* The rules that name a set. */
static int uses_of(struct fwlists *l, const char *set, const struct use **out, struct err *e)
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
	r = state_net_each(l->st, kind, note, uuids, e);
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

struct naming {
	struct state *st;
	json_t *uuids;
	struct err *e;
};

static int note_set(const char *set, void *arg)
{
	struct naming *n = arg;
	_free_ char *kind = xprintf("fwuse %s", set);

	return state_net_each(n->st, kind, note, n->uuids, n->e);
}

int fwrules_in_force(struct state *st, const struct fw_vm *vm, json_t **uuids, struct err *e)
{
	_json_ json_t *o = json_object();
	struct naming n = {st, o, e};
	struct fwsets all = {NULL, 0};
	int r;

	if (*vm->owner) {
		r = fw_vm_sets(vm, note_set, &n);
	} else {
		r = fwsets_of(st, NULL, vm, &all, e);
		for (size_t i = 0; r == 0 && i < all.n; i++)
			r = note_set(all.set[i].name, &n);
		fwsets_done(&all);
	}
	if (r == 0)
		*uuids = take(o);
	return r;
}

static uint32_t set_id(const char *name, void *arg)
{
	struct fwlists *l = arg;
	uint32_t id = l->have_sets ? fwsets_id(&l->sets, name) : 0;
	int r = l->have_sets || l->bad < 0 ? 0 : fwset_find(l->st, name, &id, l->e);

	if (r < 0)
		l->bad = r;
	return id;
}

struct adding {
	struct fwlists *l;
	struct fw_known *known;
	size_t n, cap;
	struct err *e;
};

static int add_set(const char *set, void *arg)
{
	struct adding *a = arg;
	const struct use *u = NULL;
	int r;

	/* a set that has no number is named by nobody */
	if (a->l->have_sets && !fwsets_id(&a->l->sets, set))
		return 0;
	r = uses_of(a->l, set, &u, a->e);
	for (size_t i = 0; r == 0 && u && i < u->n; i++) {
		struct page *p = u->page[i];

		if (p->turn == a->l->book->turn)
			continue;
		p->turn = a->l->book->turn;
		if (a->n == a->cap) {
			a->cap = a->cap * 2 + 16;
			a->known = xrealloc(a->known, a->cap * sizeof *a->known);
		}
		a->known[a->n] = (struct fw_known){.scope = p->scope, .rule = &p->rule, .log = p->log};
		memcpy(a->known[a->n++].id, p->id, 16);
	}
	return r;
}

int fwlists_add(struct fwlists *l, const struct fw_vm *vm, uint32_t zone, struct err *e)
{
	struct adding a = {.l = l, .e = e};
	struct fw_entry *entry;
	size_t n;
	int r;

	l->book->turn++;
	l->e = e;
	r = fw_vm_sets(vm, add_set, &a);
	if (r == 0) {
		n = fw_compile(vm, a.known, a.n, set_id, l, &entry);
		l->list = xrealloc(l->list, (l->n + 1) * sizeof *l->list);
		l->list[l->n++] = (struct fw_list){.zone = zone, .entry = entry, .n = n};
		r = l->bad; /* a set that is taken for empty would be a rule that is missing */
	}
	free(a.known);
	return r;
}

/* ---- rules of a VM, as they are stored ---- */

struct which {
	const struct fw_vm *vm;
	json_t *rules;
	bool enabled;
	struct err *e;
};

static int add_rule(const char *uuid, const json_t *rule, void *arg)
{
	struct which *w = arg;
	_fw_rule_ struct fw_rule r = {0};
	int n;

	if (w->enabled && !vm_bool(rule, "enabled", false))
		return 0;
	n = fw_parse(vm_str(rule, "rule") ?: "", &r, w->e);
	if (n < 0)
		return n;
	if (fw_side_has(&r.from, fwobj_scope(rule), w->vm) || fw_side_has(&r.to, fwobj_scope(rule), w->vm))
		json_array_append(w->rules, (json_t *)rule);
	return 0;
}

int fw_rules_of(struct state *st, const struct fw_vm *vm, bool enabled, json_t **rules, struct err *e)
{
	_json_ json_t *list = json_array();
	struct which w = {vm, list, enabled, e};
	int r = state_net_each(st, "rule", add_rule, &w, e);

	if (r == 0)
		*rules = take(list);
	return r;
}
