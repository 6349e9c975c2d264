/* SPDX-License-Identifier: MPL-2.0 */
/* Update: the new record is checked whole, applied to the running zone and read back, then stored; or all is as before. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "kern/slice.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/fw.h"
#include "node/hold.h"
#include "node/io.h"
#include "node/live.h"
#include "node/netconf.h"
#include "node/nics.h"
#include "node/router.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/settings.h"
#include "node/update.h"
#include "node/vm.h"
#include "node/vmops.h"
#include "zone/limits.h"

struct update {
	struct vm *v;
	json_t *old;     /* borrowed */
	json_t *had;     /* owned: old with its leases, which storing what comes after takes away */
	json_t *rec;     /* owned: after */
	json_t *changed; /* owned: names */
	bool locked_later; /* max_locked_memory could not be raised on what runs */
};

static bool touched(const struct update *u, const char *const *names)
{
	const json_t *n;
	size_t i;

	json_array_foreach(u->changed, i, n)
		for (const char *const *p = names; *p; p++)
			if (!strcmp(*p, json_string_value(n)))
				return true;
	return false;
}

/* What the worker watches it lets go of before the kernel's limit is written, and takes hold of after: it may be clamped. */
static int apply_limits(struct update *u, const json_t *rec, struct err *e)
{
	static const char *const shares[] = {"cpu_shares", NULL};
	uint64_t n = (uint64_t)vm_int(rec, "cpu_shares", 100);
	bool watched = vm_int(rec, "cpu_baseline", 0) != 0;
	int r = watched ? 0 : settings_live(u->v, rec, u->old, e); /* the I/O limits come after these, and are undone before */

	if (r == 0)
		r = limits_apply(u->v->c, &u->v->cg, rec, e);
	if (r == 0 && watched)
		r = settings_live(u->v, rec, u->old, e);
	/* logins to come first: none that begins meanwhile may bring the old one */
	if (r == 0 && touched(u, shares))
		r = zone_spec_slice(u->v->c, u->v->uuid, slice_of_shares(n), e);
	return r == 0 && touched(u, shares) ? limits_slice_live(u->v->c, &u->v->cg, u->v->uuid, n, e) : r;
}

static int apply_io(struct update *u, const json_t *rec, struct err *e)
{
	bool watched = io_bursts(rec);
	int r = watched ? 0 : settings_live(u->v, u->rec, rec, e);

	if (r == 0)
		r = io_apply(u->v, rec, false, e);
	return r == 0 && watched ? settings_live(u->v, u->rec, rec, e) : r;
}

static int apply_cpus(struct update *u, const json_t *rec, struct err *e)
{
	return cg_set_cpus(&u->v->cg, u->v->uuid, vm_str(rec, "dedicated_cpus"), e);
}

/* Limits that the cgroups of a running zone hold: the undo is the old record's. */
static const struct held {
	int (*apply)(struct update *u, const json_t *rec, struct err *e);
	const char *const names[12];
} limits = {apply_limits, {"cpu_cap", "cpu_shares", "cpu_baseline", "cpu_burst_time", "max_physical_memory", "max_swap", "max_lwps",
			   "memory_reservation"}},
  io = {apply_io, {"zfs_io_priority", "io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops", "io_read_bps_max",
		   "io_write_bps_max", "io_read_iops_max", "io_write_iops_max", "io_burst_time"}},
  cpus = {apply_cpus, {"dedicated_cpus"}};

static int hold(struct update *u, const struct held *h, const json_t *rec, struct err *e)
{
	int r;

	if (!u->v->run.running || !touched(u, h->names))
		return 0;
	r = vm_need_cg(u->v, e);
	return r < 0 ? r : h->apply(u, rec, e);
}

#define HELD(what)                                                         \
	static int do_##what(struct ctx *c, void *op, struct err *e)       \
	{                                                                  \
		return hold(op, &what, ((struct update *)op)->rec, e);     \
	}                                                                  \
	static int undo_##what(struct ctx *c, void *op, struct err *e)     \
	{                                                                  \
		return hold(op, &what, ((struct update *)op)->old, e);     \
	}
HELD(limits)
HELD(io)
HELD(cpus)
#undef HELD

static int set_quota(struct update *u, json_t *rec, struct err *e)
{
	static const char *const names[] = {"quota", NULL};
	json_t *keep = u->v->rec;
	int r;

	if (!touched(u, names))
		return 0;
	u->v->rec = rec;
	r = dataset_quota(u->v, e);
	u->v->rec = keep;
	return r;
}

static int do_quota(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return set_quota(u, u->rec, e);
}

static int undo_quota(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return set_quota(u, u->old, e);
}

static int do_mounts(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return live_mounts(u->v, u->old, u->rec, e);
}

static int undo_mounts(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return live_mounts_undo(u->v, u->rec, u->old, e);
}

static int do_devices(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return live_devices(u->v, u->old, u->rec, e);
}

static int undo_devices(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return live_devices(u->v, u->rec, u->old, e);
}

static int do_nics(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return nics_live(u->v, u->old, u->rec, e);
}

static int undo_nics(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	int r = nics_live(u->v, u->rec, u->old, e);

	if (r < 0 || json_equal(json_object_get(u->rec, "nics"), json_object_get(u->old, "nics")))
		return r;
	/* they are taken before the record is stored; what the old one had may be others by now */
	r = state_lease_back(u->v->st, u->v->uuid, u->rec, u->old, e);
	return r < 0 ? r : vmfw_change(u->v, NULL, u->old, true, e);
}

/* Behind its NICs; what the zone is in the way of is only told of, so there is nothing to undo but to do it the other way round. */
static int do_netconf(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	routes_live(u->v, u->old, u->rec);
	resolvers_live(u->v, u->old, u->rec);
	return 0;
}

static int undo_netconf(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	routes_live(u->v, u->rec, u->old);
	resolvers_live(u->v, u->rec, u->old);
	return 0;
}

static int do_store(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return state_vm_replace(u->v->st, u->rec, e);
}

static int do_record(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;
	json_t *keep = u->v->rec;
	int r;

	u->v->rec = u->rec;
	r = vm_record_save(u->v, e);
	u->v->rec = keep;
	return r;
}

static int undo_store(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return state_vm_replace(u->v->st, u->old, e);
}

/*
 * Last of the changes to what runs: a limit that was lowered can't always be raised again by an undo. Logins to come
 * take theirs from the zone's spec, which goes first: none that begins meanwhile may bring the old one.
 */
static int locked(struct update *u, const json_t *from, const json_t *to, struct err *e)
{
	static const char *const names[] = {"max_locked_memory", NULL};
	uint64_t bytes = (uint64_t)vm_int(to, "max_locked_memory", 0) << 20;
	int r;

	if (!u->v->run.running || !touched(u, names))
		return 0;
	r = vm_need_cg(u->v, e);
	if (r < 0)
		return r;
	r = zone_spec_memlock(u->v->c, u->v->uuid, bytes, e);
	if (r == 0)
		r = limits_locked_live(&u->v->cg, u->v->uuid, bytes, e);
	u->locked_later = r == -EPERM;
	if (u->locked_later)
		r = zone_spec_memlock(u->v->c, u->v->uuid, (uint64_t)vm_int(from, "max_locked_memory", 0) << 20, e);
	return r;
}

static int do_locked(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return locked(u, u->old, u->rec, e);
}

static int undo_locked(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return locked(u, u->rec, u->old, e);
}

/* Behind the store: who changes rules at the same time reads there what this VM is, or has this come after. */
static bool firewall_cares(const struct update *u)
{
	static const char *const names[] = {"nics", "tags", "owner_uuid", "firewall_enabled", "log_drops", NULL};

	return touched(u, names);
}

static int do_firewall(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return firewall_cares(u) ? vmfw_change(u->v, u->had ? u->had : u->old, u->rec, false, e) : 0;
}

static int undo_firewall(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return firewall_cares(u) ? vmfw_change(u->v, u->rec, u->old, false, e) : 0;
}

static const struct step update_steps[] = {
	{"update-limits", do_limits, undo_limits},
	{"update-io", do_io, undo_io},
	{"update-cpus", do_cpus, undo_cpus},
	{"update-quota", do_quota, undo_quota},
	{"update-mounts", do_mounts, undo_mounts},
	{"update-devices", do_devices, undo_devices},
	{"update-nics", do_nics, undo_nics},
	{"update-netconf", do_netconf, undo_netconf},
	{"update-locked", do_locked, undo_locked},
	{"update-store", do_store, undo_store},
	{"update-firewall", do_firewall, undo_firewall},
	{"update-record", do_record, NULL},
};

static json_t *differing(const json_t *a, const json_t *b)
{
	json_t *names = json_array();
	const char *key;
	json_t *val;

	json_object_foreach((json_t *)a, key, val)
		if (!json_equal(val, json_object_get(b, key)))
			json_array_append_new(names, json_string(key));
	json_object_foreach((json_t *)b, key, val)
		if (!json_object_get(a, key))
			json_array_append_new(names, json_string(key));
	return names;
}

int vm_update_recover(struct vm *v, const char *target, struct err *e)
{
	_json_ json_t *rec = NULL, *changed = NULL;
	_free_ char *what = xprintf("recover update %s", v->uuid);
	struct update u = {.v = v, .old = v->rec};
	int r = vm_record_load(target, strlen(target), &rec, e);

	if (r < 0)
		return r;
	changed = differing(v->rec, rec);
	/* stored: the kernel had all of it before; the copy beside the data can be old, and the firewall */
	if (json_array_size(changed) == 0) {
		r = vmfw_change(v, NULL, rec, true, e);
		return r < 0 ? r : vm_record_save(v, e);
	}
	u.rec = rec;
	u.changed = changed;
	return steps_undo(v->c, what, update_steps, ARRAY_LEN(update_steps), &u, e);
}

static int prepare(struct vm *v, const json_t *payload, json_t **rec, json_t **changed, json_t **report, struct err *e)
{
	_json_ json_t *out = NULL, *diff = NULL;
	char now[CLOCK_TEXT];
	int r = vm_record_update(v->rec, payload, clock_iso(clock_wall_ns(), now), &out, &diff, report, e);

	if (r == 0)
		r = vm_available(out, e);
	if (r == 0)
		r = machine_check_update(v->rec, out, v->run.running, e);
	if (r == 0)
		r = vm_grants_check(out, e);
	if (r == 0)
		r = nics_check(v->c, v->st, v->rec, out, e);
	if (r == 0)
		r = live_check(v, v->rec, out, e);
	if (r == 0)
		r = hold_check_changed(v->c, out, diff, e);
	if (r < 0)
		return r;
	*rec = take(out);
	*changed = take(diff);
	return 0;
}

int vm_update_dry(struct ctx *c, const char *word, const json_t *payload, json_t **rec, json_t **report, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *changed = NULL;
	int r = vm_open(c, word, VM_LOOK, &v, e);

	return r < 0 ? r : prepare(&v, payload, rec, &changed, report, e);
}

int vm_update(struct ctx *c, const char *word, const json_t *payload, json_t **later, json_t **report, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *rec = NULL, *changed = NULL, *detail = NULL, *had = NULL;
	_free_ char *what = NULL, *target = NULL, *intent = NULL;
	struct update u = {.v = &v};
	const json_t *n;
	size_t i;
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r == 0)
		r = prepare(&v, payload, &rec, &changed, report, e);
	if (r < 0)
		return r;
	u.old = v.rec;
	u.rec = rec;
	u.changed = changed;
	if (firewall_cares(&u) && fwaddr_note(v.st, v.rec, &had, e) < 0)
		return err_add(e, "update VM %s", v.uuid);
	u.had = had;
	what = xprintf("update %s", v.uuid);
	target = vm_record_text(rec);
	intent = xprintf("update\n%s", target);
	r = intent_set(c, v.uuid, intent, e);
	if (r == 0)
		r = steps_run(c, what, update_steps, ARRAY_LEN(update_steps), &u, e);
	intent_clear(c, v.uuid);
	if (r < 0)
		return err_add(e, "update VM %s", v.uuid);
	router_changed(c, v.st);
	if (later) {
		*later = json_array();
		json_array_foreach(changed, i, n)
			if (v.run.running && str_eq(json_string_value(n), "nics"))
				nics_later(v.rec, rec, *later);
			else if (v.run.running && (vm_live_of(json_string_value(n), vm_str(rec, "brand")) == VM_LIVE_BOOT ||
					      (u.locked_later && !strcmp(json_string_value(n), "max_locked_memory"))))
				json_array_append(*later, (json_t *)n);
	}
	detail = json_pack("{s:O}", "changed", changed);
	state_event(v.st, "update", v.uuid, detail, NULL);
	return 0;
}
