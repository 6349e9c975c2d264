/* SPDX-License-Identifier: MPL-2.0 */
/* A change of rules or remote VMs: stored in one transaction, then in force on what runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "net/fw.h"
#include "node/fwset.h"

/* What a change does to sets, found out while it is stored. */
struct deed {
	struct state *st;
	struct fwsets made, gone;
	json_t *names;            /* sets of rules that came, went or changed while in force */
	json_t *rule_old, *rvm_old; /* as they were */
	struct err *e;
};

static int name_it(const char *set, void *arg)
{
	json_object_set_new(arg, set, json_null());
	return 0;
}

static int rule_names(const json_t *rule, json_t *names, struct err *e)
{
	return vm_bool(rule, "enabled", false) ? fwset_each_of(rule, name_it, names, e) : 0;
}

/* 1 with the rule; 0: there is none; -EUCLEAN: there is, and nobody can read it. */
static int read_rule(struct state *st, const char *uuid, json_t **out, struct err *e)
{
	_fw_rule_ struct fw_rule rule = {0};
	int r = fwdb_get(st, "rule", uuid, out, e);

	return r > 0 && fw_parse(vm_str(*out, "rule") ?: "", &rule, e) < 0 ? -EUCLEAN : r;
}

static int forget_rule(struct deed *d, const char *uuid)
{
	_json_ json_t *old = NULL;
	struct err bad = ERR_INIT;
	int r = read_rule(d->st, uuid, &old, &bad);

	if (r == -EUCLEAN) {
		r = fwset_each_blind(d->st, uuid, name_it, d->names, d->e);
		return r < 0 ? r : fwset_unuse_blind(d->st, uuid, &d->gone, d->e);
	}
	if (r < 0 && d->e)
		*d->e = bad;
	if (r <= 0)
		return r;
	r = json_array_append(d->rule_old, old);
	if (r == 0)
		r = rule_names(old, d->names, d->e);
	return r < 0 ? r : fwset_unuse(d->st, old, &d->gone, d->e);
}

static int keep_rule(struct deed *d, const json_t *rule)
{
	int r = rule_names(rule, d->names, d->e);

	if (r == 0)
		r = state_net_put(d->st, "rule", vm_str(rule, "uuid"), rule, d->e);
	return r < 0 ? r : fwset_use(d->st, rule, &d->made, d->e);
}

static int old_rvm(struct deed *d, const char *uuid)
{
	json_t *old;
	int r = fwdb_get(d->st, "rvm", uuid, &old, d->e);

	return r <= 0 ? r : json_array_append_new(d->rvm_old, old);
}

static int store_rules(struct deed *d, const struct fw_change *ch)
{
	const json_t *o;
	size_t i;
	int r = 0;

	/* all that goes first: a set that goes and comes is another one */
	json_array_foreach(ch->gone_rules, i, o)
	{
		if (r == 0)
			r = forget_rule(d, json_string_value(o));
		if (r == 0)
			r = state_net_delete(d->st, "rule", json_string_value(o), d->e);
	}
	json_array_foreach(ch->rules, i, o)
		if (r == 0)
			r = forget_rule(d, vm_str(o, "uuid"));
	json_array_foreach(ch->rules, i, o)
		if (r == 0)
			r = keep_rule(d, o);
	return r;
}

static int expected(struct deed *d, const json_t *list, const char *kind, const struct fw_change *ch)
{
	const char *what = strcmp(kind, "rvm") ? "rule" : "remote VM";
	enum fw_expect want = ch->expect;
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *uuid = vm_str(o, "uuid");
		_json_ json_t *now = NULL;
		int r = want == FW_WHATEVER ? 0 : fwdb_get(d->st, kind, uuid, &now, d->e);

		if (r < 0)
			return r;
		if (want != FW_WHATEVER && (r > 0) != (want == FW_PRESENT))
			return err_set(d->e, r ? EEXIST : ENOENT, "%s %s %s", what, uuid, r ? "exists already" : "does not exist");
		if (ch->seen && now && !json_equal(now, json_object_get(ch->seen, uuid)))
			return err_set(d->e, ESTALE, "%s %s has been changed by another command meanwhile", what, uuid);
	}
	return 0;
}

static int store(struct deed *d, const struct fw_change *ch)
{
	const json_t *o;
	size_t i;
	int r = expected(d, ch->rules, "rule", ch);

	if (r == 0)
		r = expected(d, ch->rvms, "rvm", ch);
	if (r == 0)
		r = store_rules(d, ch);
	json_array_foreach(ch->gone_rvms, i, o)
	{
		if (r == 0)
			r = old_rvm(d, json_string_value(o));
		if (r == 0)
			r = state_net_delete(d->st, "rvm", json_string_value(o), d->e);
	}
	json_array_foreach(ch->rvms, i, o)
	{
		if (r == 0)
			r = old_rvm(d, vm_str(o, "uuid"));
		if (r == 0)
			r = state_net_put(d->st, "rvm", vm_str(o, "uuid"), o, d->e);
	}
	return r;
}

static const json_t *same_uuid(const json_t *list, const char *uuid)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, "uuid"), uuid))
			return o;
	return NULL;
}

/* Its addresses from where it was to where it is. */
static int move_rvm(struct deed *d, struct net_switch *s, const json_t *from, const json_t *to)
{
	struct fw_vm a = {.uuid = ""}, b = {.uuid = ""};
	struct fwsets before = {NULL, 0}, now = {NULL, 0};
	int r = 0;

	if (from) {
		fwobj_vm(from, &a);
		r = fwsets_of(d->st, NULL, &a, &before, d->e);
	}
	if (to) {
		fwobj_vm(to, &b);
		if (r == 0)
			r = fwsets_of(d->st, NULL, &b, &now, d->e);
	}
	if (r == 0)
		r = fwsync_member(d->st, s, &a, &before, &b, &now, to ? b.uuid : a.uuid, d->e);
	fwsets_done(&before);
	fwsets_done(&now);
	fw_vm_done(&a);
	fw_vm_done(&b);
	return r;
}

static int move_rvms(struct deed *d, struct net_switch *s, const struct fw_change *ch)
{
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(d->rvm_old, i, o)
		if (r == 0)
			r = move_rvm(d, s, o, same_uuid(ch->rvms, vm_str(o, "uuid")));
	json_array_foreach(ch->rvms, i, o)
		if (r == 0 && !same_uuid(d->rvm_old, vm_str(o, "uuid")))
			r = move_rvm(d, s, NULL, o);
	return r;
}

static int empty(struct net_switch *s, const struct fwsets *gone, struct err *e)
{
	_free_ uint32_t *id = xalloc(gone->n * sizeof *id);

	for (size_t i = 0; i < gone->n; i++)
		id[i] = gone->set[i].id;
	return net_fw_sets(s, id, gone->n, NULL, 0, e);
}

/* Sets have their members before a list names them, and are there until none does. */
static int enforce(struct ctx *c, struct deed *d, struct net_switch *s, const struct fw_change *ch)
{
	int r = fwsync_fill(d->st, s, &d->made, d->e);

	if (r == 0)
		r = move_rvms(d, s, ch);
	if (r == 0)
		r = failpoint("fwadm-force", d->e);
	if (r == 0 && json_object_size(d->names))
		r = fwsync_lists(c, d->st, s, d->names, d->e);
	return r < 0 || d->gone.n == 0 ? r : empty(s, &d->gone, d->e);
}

static int stored(struct deed *d, const struct fw_change *ch)
{
	int r = state_begin(d->st, d->e);

	return r < 0 ? r : state_end(d->st, store(d, ch), d->e);
}

static void deed_init(struct deed *d, struct state *st, struct err *e)
{
	*d = (struct deed){.st = st, .e = e, .names = json_object(), .rule_old = json_array(), .rvm_old = json_array()};
}

static void deed_done(struct deed *d)
{
	json_decref(d->names);
	json_decref(d->rule_old);
	json_decref(d->rvm_old);
	fwsets_done(&d->made);
	fwsets_done(&d->gone);
}

/* The uuids of those that were not there before. */
static json_t *were_not(const json_t *list, const json_t *old)
{
	json_t *out = json_array();
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (!same_uuid(old, vm_str(o, "uuid")))
			json_array_append(out, json_object_get(o, "uuid"));
	return out;
}

/* What could not be brought into force is as if it had never been: in the store, and then in the switch, by the store. */
static int take_back(struct ctx *c, const struct deed *d, struct net_switch *s, const struct fw_change *ch, struct err *e)
{
	_json_ json_t *rules = were_not(ch->rules, d->rule_old), *rvms = were_not(ch->rvms, d->rvm_old);
	struct fw_change back = {.rules = d->rule_old, .rvms = d->rvm_old, .gone_rules = rules, .gone_rvms = rvms};
	struct deed b;
	int r;

	deed_init(&b, d->st, e);
	r = stored(&b, &back);
	deed_done(&b);
	return r < 0 ? r : fwsync(c, d->st, s, e);
}

static int in_force(struct ctx *c, struct deed *d, struct net_switch *s, const struct fw_change *ch, struct err *e)
{
	struct err why = ERR_INIT;
	int r = enforce(c, d, s, ch);

	if (r == 0) {
		fwsync_end(s);
		return 0;
	}
	if (take_back(c, d, s, ch, &why) < 0) {
		err_add(e, "it is stored, and not all of it in force");
		err_hint(e, "The next change, or the next boot of a VM, brings it all into force. Taking it back failed: %.120s", why.msg);
	}
	return r;
}

int fw_change_apply(struct ctx *c, struct state *st, const struct fw_change *ch, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct err miss = ERR_INIT;
	struct deed d;
	int r = switch_open(c, false, &s, &miss);
	bool have = r == 0, low;

	if (r < 0 && r != -ENOENT) {
		if (e)
			*e = miss;
		return r == -ESTALE ? -EIO : r; /* for ESTALE the caller begins again */
	}
	deed_init(&d, st, e);
	r = have ? fwsync(c, st, &s, e) : 0;
	if (r == 0 && have)
		r = fwsync_begin(&s, e);
	if (r == 0) {
		r = stored(&d, ch);
		if (r < 0 && have)
			fwsync_end(&s); /* nothing has changed */
	}
	if (r == 0)
		r = failpoint("fwadm-stored", e);
	if (r == 0 && have) {
		r = in_force(c, &d, &s, ch, e);
		low = json_object_size(d.names) && net_fw_low(&s);
		switch_close(&s);
		vmfw_later(c, low);
	}
	deed_done(&d);
	return r;
}

/* ---- whom it concerns ---- */

struct who {
	json_t *names, *vms;
};

static int concerned(const char *set, void *arg)
{
	return json_object_get(arg, set) ? 1 : 0;
}

static int add_who(const struct fw_vm *vm, bool enabled, bool remote, void *arg)
{
	struct who *w = arg;

	if (enabled && !remote && fw_vm_sets(vm, concerned, w->names) == 1)
		json_array_append_new(w->vms, json_string(vm->uuid));
	return 0;
}

static int old_names(struct state *st, const char *uuid, json_t *names, struct err *e)
{
	_json_ json_t *old = NULL;
	struct err bad = ERR_INIT;
	int r = read_rule(st, uuid, &old, &bad);

	if (r == -EUCLEAN)
		return fwset_each_blind(st, uuid, name_it, names, e);
	if (r < 0 && e)
		*e = bad;
	return r <= 0 ? r : rule_names(old, names, e);
}

/* A remote VM that comes or goes concerns whom the rules that name it do. */
static int rvm_names(struct state *st, const json_t *rvm, json_t *names, struct err *e)
{
	_json_ json_t *uuids = NULL;
	struct fw_vm vm;
	const char *uuid;
	json_t *v;
	int r;

	fwobj_vm(rvm, &vm);
	r = fwrules_in_force(st, &vm, &uuids, e);
	json_object_foreach(uuids, uuid, v)
		if (r == 0)
			r = old_names(st, uuid, names, e);
	fw_vm_done(&vm);
	return r;
}

int fw_change_vms(struct state *st, const struct fw_change *ch, json_t **vms, struct err *e)
{
	_json_ json_t *names = json_object(), *list = json_array();
	struct who w = {names, list};
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(ch->rules, i, o)
	{
		if (r == 0)
			r = old_names(st, vm_str(o, "uuid"), names, e);
		if (r == 0)
			r = rule_names(o, names, e);
	}
	json_array_foreach(ch->gone_rules, i, o)
		if (r == 0)
			r = old_names(st, json_string_value(o), names, e);
	json_array_foreach(ch->rvms, i, o)
		if (r == 0)
			r = rvm_names(st, o, names, e);
	json_array_foreach(ch->gone_rvms, i, o)
	{
		_json_ json_t *old = NULL;

		if (r == 0 && (r = fwdb_get(st, "rvm", json_string_value(o), &old, e)) > 0)
			r = rvm_names(st, old, names, e);
	}
	if (r == 0 && json_object_size(names))
		r = fwvm_walled(st, names, add_who, &w, e);
	if (r == 0)
		*vms = take(list);
	return r;
}
