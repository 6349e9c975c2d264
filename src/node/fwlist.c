/* SPDX-License-Identifier: MPL-2.0 */
/* What concerns a VM: read by the names of the sets that it is in, compiled, many at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"
#include "node/fwbook.h"

struct naming {
	struct state *st;
	json_t *uuids;
	struct err *e;
};

static int note_set(const char *set, void *arg)
{
	struct naming *n = arg;
	_free_ char *kind = xprintf("fwuse %s", set);

	return state_net_each(n->st, kind, fwbook_note, n->uuids, n->e);
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
	const struct use *u = l->have_rules ? *fwbook_at(l, name) : NULL;
	uint32_t id = l->have_rules ? u ? u->id : 0 : l->have_sets ? fwsets_id(&l->sets, name) : 0;
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
	if (a->l->have_sets && !a->l->have_rules && !fwsets_id(&a->l->sets, set))
		return 0;
	r = fwbook_uses(a->l, set, &u, a->e);
	if (r == 0 && u && u->bad[0])
		return fwrule_bad(a->e, u->bad, err_set(a->e, EUCLEAN, "it is damaged"));
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
