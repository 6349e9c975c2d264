/* SPDX-License-Identifier: MPL-2.0 */
/* Snapshots, rollback and reprovision: what exchanges a VM's root. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/freeze.h"
#include "node/lock.h"
#include "node/migrate.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/saved.h"
#include "node/snapshot.h"
#include "node/stop.h"
#include "node/usage.h"
#include "node/vm.h"
#include "node/vmops.h"

#define ANSWER_MS 5000

static int open_snap(struct ctx *c, const char *word, const char *name, bool must, struct vm *v, char **snap, struct err *e)
{
	int r;

	if (!vm_snapshot_name_ok(name))
		return err_set(e, EINVAL, "snapshot name \"%.80s\": use 1 to 64 of A-Z a-z 0-9 - . _ : %%", name);
	if (!must && *name == '.') /* what lists a VM's snapshots passes over such files; one that is there already can be deleted */
		return err_set(e, EINVAL, "snapshot name \"%s\": begin it with another letter than a dot", name);
	r = vm_open(c, word, VM_LOCK | VM_WRITE, v, e);
	if (r == 0)
		r = vm_migrate_unsettled(v, e);
	if (r == 0)
		r = vm_need_store(v, e);
	if (r < 0)
		return r;
	if (!v->run.running)
		usage_vm_stopped(v);
	*snap = xprintf("%s/snap/%s", v->uuid, name);
	if (must && !store_exists(v->store, *snap))
		return err_set(e, ENOENT, "VM %s has no snapshot \"%s\"", v->uuid, name);
	if (!must && store_exists(v->store, *snap))
		return err_set(e, EEXIST, "VM %s has a snapshot \"%s\" already", v->uuid, name);
	return 0;
}

/* One step each: its time is the operation's. */
static void done_in(const struct vm *v, const char *what, uint64_t since)
{
	ctx_log(v->c, LOG_INFO, "%s %s: done in %.3f ms", what, v->uuid, (double)(clock_mono_ns() - since) / 1e6);
}

static void tell(struct vm *v, const char *event, const char *name)
{
	_json_ json_t *d = json_pack("{s:s}", "name", name);

	state_event(v->st, event, v->uuid, d, NULL);
}

/*
 * Its memory goes to a file of the root while the guest runs; at the end of that the guest stands, and what is snapshotted then has disks and memory of one
 * instant. That file means nothing in the root itself: killed anywhere, what is left of this is a guest that runs, or is let go on by the next command.
 */
static int with_memory(struct vm *v, const char *name, const char *root, const char *snap, unsigned *pause, struct err *e)
{
	struct qmigrate_now end = {0};
	struct err we = ERR_INIT;
	uint64_t stood;
	int r = intent_set(v->c, v->uuid, "checkpoint", e);

	if (r == 0)
		r = saved_write(v, SAVED_CHECKPOINT, name, &end, e);
	if (r < 0) {
		intent_clear(v->c, v->uuid);
		return r;
	}
	stood = clock_mono_ns();
	r = failpoint("checkpoint-written", e);
	if (r == 0)
		r = store_snapshot(v->store, root, snap, true, store_quota_id(v->store, v->id_base), e);
	if (r == 0)
		r = failpoint("checkpoint-taken", e);
	if (machine_outgoing_undo(v, &we) < 0) {
		ctx_log(v->c, LOG_WARN, "VM %s: its guest stands: vmadm start %s lets it go on: %s", v->uuid, v->uuid, we.msg);
		return r;
	}
	*pause = end.downtime_ms + (unsigned)((clock_mono_ns() - stood) / 1000000);
	if (saved_drop(v, &we) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s", v->uuid, we.msg);
	else
		intent_clear(v->c, v->uuid);
	return r;
}

/*
 * What a killed command left is of no snapshot: with a memory in it that is not of its disks, a rollback would bring that. A state beside a monitor is
 * that only where the guest has run since; where not, it is all that there is of the guest's memory.
 */
static int leftovers_away(struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = saved_tidy(v, e);

	if (r < 0 || !v->run.running || !saved_there(v->c, v->uuid))
		return r;
	r = machine_call(v, ANSWER_MS, &q, e);
	if (r == 0)
		r = machine_has_run(v, &q, e);
	if (r == 0)
		return machine_cut_off(v, e);
	return r < 0 ? r : saved_drop(v, e);
}

static int disks_alone_taken(struct vm *v, const char *root, const char *snap, struct err *e)
{
	_clean_(freeze_end) struct freeze f = FREEZE_INIT;
	int r = brand_hvm(v->brand) ? leftovers_away(v, e) : 0;

	if (r < 0)
		return r;
	freeze_begin(v, &f);
	r = failpoint("snapshot-frozen", e);
	if (r == 0)
		r = store_snapshot(v->store, root, snap, true, store_quota_id(v->store, v->id_base), e);
	freeze_end(&f);
	return r;
}

int vm_snapshot_create(struct ctx *c, const char *word, const char *name, unsigned *memory, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_free_ char *snap = NULL, *root = NULL;
	uint64_t begin = clock_mono_ns();
	int r = open_snap(c, word, name, false, &v, &snap, e);

	if (r == 0 && brand_hvm(v.brand) && v.run.running)
		r = intent_refuse(c, v.uuid, e);
	if (r < 0)
		return r;
	if (memory && (!brand_hvm(v.brand) || !v.run.running))
		return err_set(e, EINVAL, "VM %s: -m is for hardware virtual machines (brand kvm) that run", v.uuid);
	root = xprintf("%s/root", v.uuid);
	r = memory ? with_memory(&v, name, root, snap, memory, e) : disks_alone_taken(&v, root, snap, e);
	if (r == 0)
		store_warn(c, v.store);
	if (r < 0)
		return err_add(e, "snapshot %s of VM %s", name, v.uuid);
	if (v.run.running) {
		r = snapshot_show(&v, name, e);
		if (r < 0)
			ctx_log(c, LOG_WARN, "the snapshot is made, but %s", e->msg);
	}
	done_in(&v, "create-snapshot", begin);
	tell(&v, "create-snapshot", name);
	return 0;
}

int vm_snapshot_delete(struct ctx *c, const char *word, const char *name, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_free_ char *snap = NULL;
	uint64_t begin = clock_mono_ns();
	int r = open_snap(c, word, name, true, &v, &snap, e);

	if (r < 0)
		return r;
	if (v.run.running)
		r = snapshot_hide(&v, name, e);
	if (r == 0)
		r = store_reclaim(v.store, snap, store_quota_id(v.store, v.id_base), e);
	if (r < 0)
		return err_add(e, "delete snapshot %s of VM %s", name, v.uuid);
	done_in(&v, "delete-snapshot", begin);
	tell(&v, "delete-snapshot", name);
	return 0;
}

struct exchange {
	struct vm *v;
	const char *name;
	char *snap;         /* rollback: what takes the root's place */
	json_t *rec;        /* reprovision: the record afterwards */
	bool was_running, suspended;
};

static int do_halt(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;

	return x->was_running ? vm_take_down(x->v, true, -1, false, e) : vm_halt_zone(x->v, e);
}

static int do_rollback(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;
	_free_ char *root = xprintf("%s/root", x->v->uuid);
	int r = store_rollback(x->v->store, x->snap, root, store_quota_id(x->v->store, x->v->id_base), e);

	if (r < 0 || !brand_hvm(x->v->brand))
		return r;
	r = failpoint("rollback-memory", e);
	if (r == 0)
		r = disks_settle(x->v, x->v->rec, false, e);
	if (r == 0)
		r = saved_adopt(x->v, x->name, e);
	x->suspended = r == 1;
	return r < 0 ? r : 0;
}

static int do_boot(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;

	return x->was_running && !x->suspended ? vm_boot_zone(x->v, 0, e) : 0;
}

static const struct step rollback_steps[] = {
	{"rollback-halt", do_halt, NULL},
	{"rollback-root", do_rollback, NULL},
	{"rollback-boot", do_boot, NULL},
};

int vm_snapshot_rollback(struct ctx *c, const char *word, const char *name, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_free_ char *snap = NULL, *what = NULL, *intent = NULL;
	struct exchange x = {.v = &v};
	int r = open_snap(c, word, name, true, &v, &snap, e);

	if (r < 0)
		return r;
	r = disks_suit(&v, snap, e);
	if (r < 0)
		return err_add(e, "roll back VM %s to %s", v.uuid, name);
	x.snap = snap;
	x.name = name;
	x.was_running = v.run.running;
	what = xprintf("rollback %s", v.uuid);
	intent = xprintf("rollback\n%s", name);
	r = brand_hvm(v.brand) ? intent_set(c, v.uuid, intent, e) : 0;
	if (r == 0)
		r = steps_run(c, what, rollback_steps, ARRAY_LEN(rollback_steps), &x, e);
	intent_clear(c, v.uuid);
	if (r < 0)
		return err_add(e, "roll back VM %s to %s", v.uuid, name);
	tell(&v, "rollback-snapshot", name);
	return x.suspended;
}

/* ---- reprovision ---- */

static char *fresh_name(const struct vm *v)
{
	return xprintf("%s/root.new", v->uuid);
}

static int do_fresh(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;
	_free_ char *fresh = fresh_name(x->v);
	int r = store_destroy(x->v->store, fresh, e);

	return r < 0 ? r : dataset_make_root(x->v, fresh, e);
}

static int undo_fresh(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;
	_free_ char *fresh = fresh_name(x->v);

	return store_destroy(x->v->store, fresh, e);
}

static int snap_gone(const char *name, uint64_t created_ns, void *arg)
{
	struct vm *v = arg;
	_free_ char *full = xprintf("%s/snap/%s", v->uuid, name);

	return store_destroy(v->store, full, NULL);
}

/* Snapshots go with the root they are of: their upper layer means nothing over another image. */
static int do_swap(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;
	struct vm *v = x->v;
	_free_ char *fresh = fresh_name(v), *root = xprintf("%s/root", v->uuid), *snaps = xprintf("%s/snap", v->uuid);
	int r = store_each(v->store, snaps, snap_gone, v, e);

	if (r == 0 || r == -ENOENT)
		r = store_destroy(v->store, root, e);
	if (r == 0)
		r = failpoint("reprovision-between", e);
	if (r == 0)
		r = store_rename(v->store, fresh, root, e);
	return r;
}

int vm_reprovision_finish(struct vm *v, struct err *e)
{
	_free_ char *fresh = fresh_name(v), *root = xprintf("%s/root", v->uuid);

	if (!store_exists(v->store, root) && store_exists(v->store, fresh))
		return store_rename(v->store, fresh, root, e);
	return store_destroy(v->store, fresh, e);
}

static int do_rec(struct ctx *c, void *op, struct err *e)
{
	struct exchange *x = op;
	int r = state_vm_replace(x->v->st, x->rec, e);

	if (r < 0)
		return r;
	json_decref(x->v->rec);
	x->v->rec = json_incref(x->rec);
	return vm_record_save(x->v, e);
}

/* Killed inside the exchange, the intent finishes it; killed before the record, an untouched new root stands over the
 * image that the record still names, which is a VM like any other. */
static const struct step reprovision_steps[] = {
	{"reprovision-halt", do_halt, NULL},
	{"reprovision-fresh", do_fresh, undo_fresh},
	{"reprovision-swap", do_swap, NULL},
	{"reprovision-record", do_rec, NULL},
	{"reprovision-boot", do_boot, NULL},
};

int vm_reprovision(struct ctx *c, const char *word, const json_t *payload, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *rec = NULL;
	_free_ char *what = NULL;
	_fd_ int kept = -1;
	const char *image = vm_str(payload, "image_uuid"), *key;
	struct exchange x = {.v = &v};
	char now[CLOCK_TEXT];
	const json_t *val;
	int r;

	json_object_foreach((json_t *)payload, key, val)
		if (strcmp(key, "image_uuid"))
			return err_set(e, EINVAL, "reprovision takes image_uuid alone, not \"%s\"", key);
	if (!image || !uuid_valid(image))
		return err_set(e, EINVAL, "reprovision needs an image_uuid");
	kept = image_lock(c, image, true, false, e); /* it stays until the record names it */
	if (kept < 0)
		return kept;
	r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);
	if (r < 0)
		return r;
	if (!v.brand || brand_hvm(v.brand)) {
		err_set(e, ENOTSUP, "VM %s: a %s VM can not be reprovisioned", v.uuid, vm_str(v.rec, "brand"));
		return err_hint(e, "Its disks get their images when they are made: add_disks and remove_disks of vmadm update, or a new VM.");
	}
	if (vm_bool(v.rec, "indestructible_zoneroot", false))
		return err_set(e, EPERM, "VM %s has indestructible_zoneroot set", v.uuid);
	rec = json_deep_copy(v.rec);
	json_object_set_new(rec, "image_uuid", json_string(image));
	json_object_set_new(rec, "last_modified", json_string(clock_iso(clock_wall_ns(), now)));
	r = vm_need_store(&v, e);
	if (r == 0)
		r = image_get(c, v.st, image, vm_str(v.rec, "brand"), &v.image, e);
	if (r < 0)
		return r;
	v.have_image = true;
	if (!v.run.running)
		usage_vm_stopped(&v);
	x.rec = rec;
	x.was_running = v.run.running;
	what = xprintf("reprovision %s", v.uuid);
	r = intent_set(c, v.uuid, "reprovision", e);
	if (r == 0)
		r = steps_run(c, what, reprovision_steps, ARRAY_LEN(reprovision_steps), &x, e);
	if (r == 0 || vm_reprovision_finish(&v, NULL) == 0)
		intent_clear(c, v.uuid);
	if (r < 0)
		return err_add(e, "reprovision VM %s", v.uuid);
	state_event(v.st, "reprovision", v.uuid, NULL, NULL);
	return 0;
}
