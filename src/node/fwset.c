/* SPDX-License-Identifier: MPL-2.0 */
#include "node/fwset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"

void fwsets_add(struct fwsets *s, const char *name, uint32_t id)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->set[i].id == id)
			return;
	s->set = xrealloc(s->set, (s->n + 1) * sizeof *s->set);
	s->set[s->n++] = (struct fwset){xstrdup(name), id};
}

void fwsets_done(struct fwsets *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->set[i].name);
	free(s->set);
	*s = (struct fwsets){NULL, 0};
}

static int load_one(const char *name, const json_t *value, void *arg)
{
	struct fwsets *s = arg;

	s->set = xrealloc(s->set, (s->n + 1) * sizeof *s->set);
	s->set[s->n++] = (struct fwset){xstrdup(name), (uint32_t)vm_int(value, "id", 0)};
	return 0;
}

int fwsets_load(struct state *st, struct fwsets *s, struct err *e)
{
	return state_net_each(st, "fwset", load_one, s, e);
}

static int by_name(const void *key, const void *p)
{
	return strcmp(key, ((const struct fwset *)p)->name);
}

uint32_t fwsets_id(const struct fwsets *s, const char *name)
{
	const struct fwset *f = s->n ? bsearch(name, s->set, s->n, sizeof *s->set, by_name) : NULL;

	return f ? f->id : 0;
}

int fwset_find(struct state *st, const char *name, uint32_t *id, struct err *e)
{
	_json_ json_t *v = NULL;
	int r = fwdb_get(st, "fwset", name, &v, e);

	*id = r > 0 ? (uint32_t)vm_int(v, "id", 0) : 0;
	return r < 0 ? r : 0;
}

int fwdb_get(struct state *st, const char *kind, const char *name, json_t **out, struct err *e)
{
	struct err miss = ERR_INIT;
	int r = state_net_get(st, kind, name, out, &miss);

	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

struct finding {
	struct state *st;
	const struct fwsets *all;
	struct fwsets *out;
	struct err *e;
};

static int find_one(const char *name, void *arg)
{
	struct finding *f = arg;
	uint32_t id = f->all ? fwsets_id(f->all, name) : 0;
	int r = f->all ? 0 : fwset_find(f->st, name, &id, f->e);

	if (id)
		fwsets_add(f->out, name, id);
	return r;
}

int fwsets_of(struct state *st, const struct fwsets *s, const struct fw_vm *vm, struct fwsets *out, struct err *e)
{
	struct finding f = {st, s, out, e};
	struct fwsets all = {NULL, 0};
	int r;

	if (*vm->owner)
		return fw_vm_sets(vm, find_one, &f);
	/* a remote VM that is nobody's is in everybody's */
	r = s ? 0 : fwsets_load(st, &all, e);
	for (size_t i = 0; r == 0 && i < (s ?: &all)->n; i++)
		if (fw_vm_in_set(vm, (s ?: &all)->set[i].name))
			fwsets_add(out, (s ?: &all)->set[i].name, (s ?: &all)->set[i].id);
	fwsets_done(&all);
	return r;
}

int fwset_each_of(const json_t *rule, int (*each)(const char *set, void *arg), void *arg, struct err *e)
{
	_fw_rule_ struct fw_rule r = {0};
	const struct fw_side *sides[] = {&r.from, &r.to};
	int n = fw_parse(vm_str(rule, "rule") ?: "", &r, e);

	for (int i = 0; n == 0 && i < 2; i++)
		for (size_t k = 0; n == 0 && k < sides[i]->n; k++) {
			_free_ char *name = fw_target_vms(&sides[i]->t[k]) ? fw_set_name(fwobj_scope(rule), &sides[i]->t[k]) : NULL;

			if (name)
				n = each(name, arg);
		}
	return n < 0 ? n : 0;
}

struct using {
	struct state *st;
	const char *uuid;
	struct fwsets *out;
	struct err *e;
};

static int use_one(const char *set, void *arg)
{
	struct using *u = arg;
	_free_ char *kind = xprintf("fwuse %s", set);
	_json_ json_t *none = json_object(), *v = NULL;
	uint32_t there = 0;
	uint64_t id;
	int r = fwset_find(u->st, set, &there, u->e);

	if (r == 0)
		r = state_net_put(u->st, kind, u->uuid, none, u->e);
	if (r < 0 || there)
		return r;
	r = state_next(u->st, "fwset", &id, u->e);
	if (r < 0)
		return r;
	v = json_pack("{s:I}", "id", (json_int_t)id);
	r = state_net_put(u->st, "fwset", set, v, u->e);
	if (r == 0)
		fwsets_add(u->out, set, (uint32_t)id);
	return r;
}

static int one_is_enough(const char *name, const json_t *value, void *arg)
{
	return -EEXIST;
}

static int unuse_one(const char *set, void *arg)
{
	struct using *u = arg;
	_free_ char *kind = xprintf("fwuse %s", set);
	uint32_t id = 0;
	int r = state_net_delete(u->st, kind, u->uuid, u->e);

	if (r < 0)
		return r;
	r = state_net_each(u->st, kind, one_is_enough, NULL, u->e);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		r = fwset_find(u->st, set, &id, u->e);
	if (r == 0 && id)
		r = state_net_delete(u->st, "fwset", set, u->e);
	if (r == 0 && id)
		fwsets_add(u->out, set, id);
	return r;
}

int fwset_use(struct state *st, const json_t *rule, struct fwsets *made, struct err *e)
{
	struct using u = {st, vm_str(rule, "uuid"), made, e};

	return vm_bool(rule, "enabled", false) ? fwset_each_of(rule, use_one, &u, e) : 0;
}

int fwset_unuse(struct state *st, const json_t *rule, struct fwsets *gone, struct err *e)
{
	struct using u = {st, vm_str(rule, "uuid"), gone, e};

	return vm_bool(rule, "enabled", false) ? fwset_each_of(rule, unuse_one, &u, e) : 0;
}

int fwset_each_blind(struct state *st, const char *uuid, int (*each)(const char *set, void *arg), void *arg, struct err *e)
{
	struct fwsets all = {NULL, 0};
	int r = fwsets_load(st, &all, e);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		_free_ char *kind = xprintf("fwuse %s", all.set[i].name);
		_json_ json_t *v = NULL;

		r = fwdb_get(st, kind, uuid, &v, e);
		r = r > 0 ? each(all.set[i].name, arg) : r;
	}
	fwsets_done(&all);
	return r < 0 ? r : 0;
}

int fwset_unuse_blind(struct state *st, const char *uuid, struct fwsets *gone, struct err *e)
{
	struct using u = {st, uuid, gone, e};

	return fwset_each_blind(st, uuid, unuse_one, &u, e);
}

int fwrule_bad(struct err *e, const char *uuid, int r)
{
	err_add(e, "rule %s can't be read", uuid);
	err_hint(e, "`fwadm delete %s` takes it away; what it says is in the database alone.", uuid);
	return r;
}
