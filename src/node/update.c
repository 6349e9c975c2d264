/* SPDX-License-Identifier: MPL-2.0 */
/* Update: the new record is checked whole, applied to the running zone and read back, then stored; or all is as before. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/fw.h"
#include "node/hold.h"
#include "node/kernel.h"
#include "node/live.h"
#include "node/netconf.h"
#include "node/nics.h"
#include "node/router.h"
#include "node/screen.h"
#include "node/lock.h"
#include "node/migrate.h"
#include "node/machine.h"
#include "node/saved.h"
#include "node/settings.h"
#include "node/update.h"
#include "node/update_in.h"
#include "node/vm.h"
#include "node/vmops.h"
#include "zone/limits.h"

#define HELD(what, WHAT)                                                      \
	static int do_##what(struct ctx *c, void *op, struct err *e)          \
	{                                                                     \
		return update_hold(op, WHAT, ((struct update *)op)->rec, e);  \
	}                                                                     \
	static int undo_##what(struct ctx *c, void *op, struct err *e)        \
	{                                                                     \
		return update_hold(op, WHAT, ((struct update *)op)->old, e);  \
	}
HELD(limits, UPDATE_LIMITS)
HELD(io, UPDATE_IO)
HELD(cpus, UPDATE_CPUS)
HELD(screen, UPDATE_SCREEN)
#undef HELD

/* room: of which record the disks are that it is to have room for. */
static int set_quota(struct update *u, const json_t *rec, const json_t *room, struct err *e)
{
	static const char *const names[] = {"quota", "disks", NULL};

	return update_touched(u, names) ? dataset_quota(u->v, rec, room, e) : 0;
}

static int do_quota(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	/* those of both, until what goes has gone */
	return set_quota(u, u->rec, disks_bytes(u->old) > disks_bytes(u->rec) ? u->old : u->rec, e);
}

static int undo_quota(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return set_quota(u, u->old, u->old, e);
}

static bool has_disks(const struct update *u)
{
	static const char *const names[] = {"disks", NULL};

	return brand_hvm(u->v->brand) && update_touched(u, names);
}

/* A guest that does not go along in time has what it has until its next change or start: not every command from now on waits for it again. */
static int own_affair(const struct update *u, int r, const struct err *why)
{
	if (r != -ETIME && r != -EINPROGRESS && r != -ENOTSUP)
		return r;
	ctx_log(u->v->c, LOG_WARN, "VM %s: not as before: %s", u->v->uuid, why->msg);
	return 0;
}

static int do_disks(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return has_disks(u) ? disks_prepare(u->v, u->old, u->rec, e) : 0;
}

static int undo_disks(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	int r;

	/* its number is not given again while the file is there, and the next change of its disks, or its next start, takes it away */
	if (!has_disks(u) || u->plugged)
		return 0;
	r = disks_settle(u->v, u->old, true, e);
	if (r == 0 && u->v->run.running) {
		r = disks_unreserve(u->v, u->old, u->rec, e);
		/* a pool so full that nothing can be given back has that to be set aside until the next start: not to be stopped for by every command */
		r = own_affair(u, r == -ENOSPC || r == -EDQUOT ? -ETIME : r, e);
	}
	return r;
}

/* Memory that becomes less does before its limit, and what becomes more after it; undone it is the other way round. */
static bool becomes_less(const struct update *u)
{
	return vm_int(u->rec, "ram", 0) < vm_int(u->old, "ram", 0);
}

static int resize(struct update *u, const json_t *from, const json_t *to, int ms, struct err *e)
{
	return brand_hvm(u->v->brand) && u->v->run.running ? machine_resize(u->v, from, to, ms, &u->size_later, e) : 0;
}

static int do_smaller(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return becomes_less(u) ? resize(u, u->old, u->rec, MACHINE_SIZE_MS, e) : 0;
}

static int do_larger(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return becomes_less(u) ? 0 : resize(u, u->old, u->rec, MACHINE_SIZE_MS, e);
}

static int undo_smaller(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return becomes_less(u) ? resize(u, u->rec, u->old, 0, e) : 0;
}

static int undo_larger(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;
	int r = becomes_less(u) ? 0 : resize(u, u->rec, u->old, MACHINE_SIZE_MS, e);

	return own_affair(u, r, e);
}

/* When it is stored: a guest that has seen a larger disk makes use of it, and who removes one has no more use for it. */
static int do_plug(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return has_disks(u) && u->v->run.running ? disks_live(u->v, u->rec, DISKS_LET_GO_MS, e) : 0;
}

static int undo_plug(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	int r = has_disks(u) && u->v->run.running ? disks_live(u->v, u->old, DISKS_LET_GO_MS, e) : 0;

	u->plugged = r < 0;
	return own_affair(u, r, e);
}

static bool has_kernel(const struct update *u)
{
	static const char *const names[] = {"kernel", "initrd", "kernel_sha256", "initrd_sha256", NULL};

	return update_touched(u, names);
}

/* What runs has its own open, and reads them no more. */
static int do_kernel(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return has_kernel(u) ? kernel_make(u->v, u->rec, e) : 0;
}

static int undo_kernel(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return has_kernel(u) ? kernel_tidy(u->v, u->old, e) : 0;
}

static int do_settle(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;
	int r = has_disks(u) ? disks_settle(u->v, u->rec, true, e) : 0;

	return r < 0 || !has_disks(u) ? r : set_quota(u, u->rec, u->rec, e);
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

	if (!u->v->run.running || !update_touched(u, names))
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

	return update_touched(u, names);
}

static int do_firewall(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	int r = firewall_cares(u) ? fwaddr_moving(u->v->st, u->v->run.running, u->old, u->rec, e) : 0;

	return r == 0 && firewall_cares(u) ? vmfw_change(u->v, u->had ? u->had : u->old, u->rec, false, e) : r;
}

static int undo_firewall(struct ctx *c, void *op, struct err *e)
{
	struct update *u = op;

	return firewall_cares(u) ? vmfw_change(u->v, u->rec, u->old, false, e) : 0;
}

static const struct step update_steps[] = {
	{"update-smaller", do_smaller, undo_smaller},
	{"update-limits", do_limits, undo_limits},
	{"update-larger", do_larger, undo_larger},
	{"update-io", do_io, undo_io},
	{"update-cpus", do_cpus, undo_cpus},
	{"update-screen", do_screen, undo_screen},
	{"update-quota", do_quota, undo_quota},
	{"update-disks", do_disks, undo_disks},
	{"update-kernel", do_kernel, undo_kernel},
	{"update-mounts", do_mounts, undo_mounts},
	{"update-devices", do_devices, undo_devices},
	{"update-nics", do_nics, undo_nics},
	{"update-netconf", do_netconf, undo_netconf},
	{"update-locked", do_locked, undo_locked},
	{"update-store", do_store, undo_store},
	{"update-plug", do_plug, undo_plug},
	{"update-firewall", do_firewall, undo_firewall},
	{"update-settle", do_settle, NULL},
	{"update-record", do_record, NULL},
};

static bool size_is_live(const struct update *u, const char *name)
{
	return brand_hvm(u->v->brand) && ((str_eq(name, "ram") && !(u->size_later & MACHINE_RAM)) || (str_eq(name, "vcpus") && !(u->size_later & MACHINE_VCPUS)));
}

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

/* Stored, but what was to be done then may not be. */
static int recover_disks(struct vm *v, struct err *e)
{
	/* its guest is asked to let go of what it is to lose: nobody waits here for that */
	struct err why = ERR_INIT;
	int had = v->run.running ? disks_live(v, v->rec, 0, &why) : 0, r;

	if (had < 0 && had != -EINPROGRESS) {
		*e = why;
		return had;
	}
	r = kernel_tidy(v, v->rec, e);
	if (had < 0) {
		/* its file stays for as long, and the room for it: the next change of its disks, or its next start, takes both away */
		ctx_log(v->c, LOG_WARN, "VM %s: not as its record yet: %s", v->uuid, why.msg);
		return r;
	}
	if (r == 0)
		r = disks_settle(v, v->rec, true, e);
	return r < 0 ? r : dataset_quota(v, v->rec, v->rec, e);
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
		if (r == 0 && brand_hvm(v->brand))
			r = recover_disks(v, e);
		return r < 0 ? r : vm_record_save(v, e);
	}
	u.rec = rec;
	u.changed = changed;
	return steps_undo(v->c, what, update_steps, ARRAY_LEN(update_steps), &u, e);
}

/* These are taken and dropped, for what get printed comes back edited; but who wants another one has to hear that it is not. */
static void identity_warn(struct ctx *c, const json_t *rec, const json_t *payload)
{
	static const char *const keys[] = {"uuid", "brand", "zonename"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *is = vm_str(rec, keys[i]), *want = vm_str(payload, keys[i]);

		if (is && want && strcmp(is, want) != 0)
			ctx_log(c, LOG_WARN, "%s can't change: it is %s, and stays so", keys[i], is);
	}
}

static int prepare(struct vm *v, const json_t *payload, json_t **rec, json_t **changed, json_t **report, struct err *e)
{
	_json_ json_t *out = NULL, *diff = NULL;
	char now[CLOCK_TEXT];
	int r = vm_record_update(v->rec, payload, clock_iso(clock_wall_ns(), now), &out, &diff, report, e);

	if (r == 0)
		r = vm_available(out, e);
	if (r == 0)
		r = machine_check_update(v, out, payload, e);
	if (r == 0)
		kernel_changed(v->rec, out, diff, now);
	if (r == 0)
		r = saved_check_update(v, out, diff, e);
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
	identity_warn(v->c, v->rec, payload);
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

/* The machine may not be as the record that stays: for whoever comes when its monitor answers. */
static void intent_back(const struct update *u)
{
	_free_ char *text = vm_record_text(u->old), *intent = xprintf("update\n%s", text);

	intent_set(u->v->c, u->v->uuid, intent, NULL);
}

/* Once nothing can be taken back any more: the record before has its own. What stays, the next update of it takes away. */
static void old_kernel_away(const struct update *u)
{
	struct err e = ERR_INIT;

	if (has_kernel(u) && kernel_tidy(u->v, u->rec, &e) < 0)
		ctx_log(u->v->c, LOG_WARN, "VM %s: %s", u->v->uuid, e.msg);
}

int vm_update(struct ctx *c, const char *word, const json_t *payload, json_t **later, json_t **report, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *rec = NULL, *changed = NULL, *detail = NULL, *had = NULL;
	_free_ char *what = NULL, *target = NULL, *intent = NULL;
	_buf_ struct buf kept = BUF_INIT;
	_held_ struct disks_held held = DISKS_HELD_INIT;
	struct update u = {.v = &v};
	const json_t *n;
	size_t i;
	int r = disks_hold(c, json_object_get(payload, "add_disks"), &held, e);

	if (r == 0)
		r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);
	if (r == 0)
		r = vm_migrate_unsettled(&v, e);
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
	/* of one that was killed before, and that nobody could finish: its monitor does not answer */
	if (brand_hvm(v.brand) && v.run.running)
		intent_read(c, v.uuid, &kept);
	what = xprintf("update %s", v.uuid);
	target = vm_record_text(rec);
	intent = xprintf("update\n%s", target);
	r = intent_set(c, v.uuid, intent, e);
	if (r == 0)
		r = steps_run(c, what, update_steps, ARRAY_LEN(update_steps), &u, e);
	if (kept.len && !str_starts(buf_str(&kept), "update\n"))
		intent_set(c, v.uuid, buf_str(&kept), NULL); /* another's, and as it was */
	else if (!kept.len || (r == 0 && has_disks(&u)))
		intent_clear(c, v.uuid);
	else if (r < 0)
		intent_back(&u);
	if (r < 0)
		return err_add(e, "update VM %s", v.uuid);
	old_kernel_away(&u);
	router_changed(c, v.st);
	if (later) {
		*later = json_array();
		json_array_foreach(changed, i, n)
			if (v.run.running && str_eq(json_string_value(n), "nics"))
				nics_later(v.rec, rec, *later);
			else if (v.run.running && str_eq(json_string_value(n), "vnc_password") && screen_password_live(v.rec, rec))
				continue;
			else if (v.run.running && size_is_live(&u, json_string_value(n)))
				continue;
			else if (v.run.running && (vm_live_of(json_string_value(n), vm_str(rec, "brand")) == VM_LIVE_BOOT ||
					      (u.locked_later && !strcmp(json_string_value(n), "max_locked_memory"))))
				json_array_append(*later, (json_t *)n);
	}
	detail = json_pack("{s:O}", "changed", changed);
	state_event(v.st, "update", v.uuid, detail, NULL);
	return 0;
}
