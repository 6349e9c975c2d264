/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Create: record, allocation, root, quota, boot. From the first step on an intent stands in /run, so that a command that
 * was killed anywhere is cleared up by the next one: the undos below are what clears it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/commit.h"
#include "node/create.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/fw.h"
#include "node/hold.h"
#include "node/later.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/netconf.h"
#include "node/nics.h"
#include "node/provision.h"
#include "node/subid.h"
#include "node/usage.h"
#include "node/vm.h"
#include "node/vmops.h"

/* The one durable commit runs beside the making of the root: both wait for a disk. */
struct create {
	struct vm *v;
	struct commit commit;
};

static int do_row(struct ctx *c, void *op, struct err *e)
{
	struct create *o = op;
	struct vm *v = o->v;
	_free_ uint32_t *skip = NULL;
	size_t n = 0;
	int r = subid_in_use(&skip, &n, e);

	if (r == 0)
		r = state_begin(v->st, e);
	if (r < 0)
		return r;
	r = state_vm_insert(v->st, v->rec, "provisioning", skip, n, &v->id_base, e);
	if (r < 0)
		return state_end(v->st, r, e);
	/* until the commit is joined nobody else may touch the connection: its row would be lost without a word */
	resolvers_look(v);
	commit_start(&o->commit, v->st);
	return 0;
}

static int undo_row(struct ctx *c, void *op, struct err *e)
{
	struct create *o = op;
	int r;

	commit_join(&o->commit, NULL);
	r = state_vm_delete(o->v->st, o->v->uuid, e);
	return r == -ENOENT ? 0 : r;
}

/* The making of the zone's namespaces, by zoneadmd, runs beside both too. */
static int do_zone(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;

	return vm_bool(v->rec, "autoboot", true) ? vm_begin_zone(v, 0, e) : 0;
}

static int undo_boot(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;
	int r = vm_halt_zone(v, e);

	return r < 0 ? r : vm_logs_remove(v, e);
}

static int do_root(struct ctx *c, void *op, struct err *e)
{
	struct create *o = op;
	int r = dataset_make(o->v, e), rc;

	if (r == 0)
		store_warn(c, o->v->store);
	rc = commit_join(&o->commit, r == 0 ? e : NULL);
	return r < 0 ? r : rc;
}

static int undo_root(struct ctx *c, void *op, struct err *e)
{
	return dataset_destroy(((struct create *)op)->v, e);
}

static int do_record(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;
	int r = vm_record_save(v, e);

	return r < 0 ? r : dataset_made(v, e);
}

/* Rules may name it before it runs. Its row is there: who makes rules meanwhile finds it, or this comes after. */
static int do_firewall(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;

	return vmfw_change(v, NULL, v->rec, false, e);
}

static int undo_firewall(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;

	return vmfw_change(v, v->rec, NULL, false, e);
}

static int do_boot(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;

	if (!vm_bool(v->rec, "autoboot", true))
		return 0;
	return vm_boot_zone(v, 0, e);
}

static int do_done(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct create *)op)->v;

	/* or provision.h does it */
	return v->awaited ? 0 : state_vm_set_state(v->st, v->uuid, "installed", e);
}

static const struct step create_steps[] = {
	{"create-row", do_row, undo_row},
	{"create-zone", do_zone, undo_boot},
	{"create-root", do_root, undo_root},
	{"create-record", do_record, NULL},
	{"create-firewall", do_firewall, undo_firewall},
	{"create-boot", do_boot, undo_boot},
	{"create-done", do_done, NULL},
};

int vm_create_undo(struct vm *v, struct err *e)
{
	_free_ char *what = xprintf("recover create %s", v->uuid);
	struct create o = {.v = v};

	return steps_undo(v->c, what, create_steps, ARRAY_LEN(create_steps), &o, e);
}

static int prepare(struct ctx *c, const json_t *payload, bool dry, json_t **rec, json_t **report, struct err *e)
{
	_json_ json_t *r0 = NULL, *whole = disks_drivers(c, payload);
	char now[CLOCK_TEXT];
	int r = vm_record_create(whole, clock_iso(clock_wall_ns(), now), &r0, report, e);

	if (r == 0)
		r = vm_available(r0, e);
	if (r == 0)
		r = machine_check(c, r0, payload, e);
	if (r == 0)
		r = vm_grants_check(r0, e);
	if (r == 0)
		r = nics_check(c, NULL, NULL, r0, e);
	/* of one that boots now its boot says it, at no cost */
	if (r == 0 && (dry || !vm_bool(r0, "autoboot", true)))
		r = hold_check(c, r0, e);
	if (r < 0)
		return r;
	*rec = take(r0);
	return 0;
}

int vm_create_dry(struct ctx *c, const json_t *payload, json_t **rec, json_t **report, struct err *e)
{
	return prepare(c, payload, true, rec, report, e);
}

/*
 * Puts a ready clone in the place of the one that was taken, in a process of its own that outlives this command. If it
 * can't be started the next create is a little slower, and that is all.
 */
static void warm_later(const struct vm *v)
{
	bool private = str_eq(vm_str(v->rec, "image_sharing"), "private");
	pid_t pid;

	if (brand_hvm(v->brand) || !(store_caps(v->store) & STORE_SQUOTA))
		return;
	if (later(v->c, "image-warm", v->image.uuid, private ? "private" : "shared", &pid) < 0)
		ctx_log(v->c, LOG_DEBUG, "image %s: no process to keep its clones warm", v->image.uuid);
}

/*
 * Cgroups are made before it is known that there is no such VM. The intent says that and no more: what was killed then
 * takes nothing of a VM away that was there before. Where a VM runs, or a killed command has left something, they wait.
 */
static bool ahead(struct vm *v)
{
	_free_ char *running = xprintf("%s/%s/zone", v->c->node.run, v->uuid);

	if (access(running, F_OK) == 0 || intent_new(v->c, v->uuid, "cgroups", NULL) < 0)
		return false;
	vm_ahead(v);
	return true;
}

static int not_begun(struct vm *v, bool noted, int r)
{
	if (vm_ahead_drop(v, NULL) == 0 && noted)
		intent_clear(v->c, v->uuid);
	return r;
}

/*
 * For a VM's record, the log that it goes through and what runs beside it; and for taking all that back: an undo without room
 * leaves half a VM.
 */
static int room(const char *dir, uint64_t bytes, struct err *e)
{
	struct statvfs fs;

	if (statvfs(dir, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= bytes)
		return 0; /* one that is not there yet is made, or why not is said then */
	err_sys(e, ENOSPC, "%s has %llu KiB left, a VM needs %llu", dir, (unsigned long long)fs.f_bavail * fs.f_frsize >> 10, (unsigned long long)bytes >> 10);
	return err_hint(e, "Make room on that file system.");
}

int vm_create(struct ctx *c, const json_t *payload, char uuid[37], json_t **report, struct err *e)
{
	_free_ char *what = NULL;
	_vm_ struct vm v = VM_INIT;
	struct create o = {.v = &v};
	_fd_ int image = -1;
	_held_ struct disks_held held = DISKS_HELD_INIT;
	bool noted = false;
	int r;

	v.c = c;
	uuid[0] = 0;
	r = room(c->node.state, 512 << 10, e);
	if (r == 0)
		r = room(c->node.run, 256 << 10, e);
	if (r == 0)
		r = prepare(c, payload, false, &v.rec, report, e);
	if (r < 0)
		return r;
	snprintf(v.uuid, sizeof v.uuid, "%s", vm_str(v.rec, "uuid"));
	strcpy(uuid, v.uuid);
	v.brand = brand_find(vm_str(v.rec, "brand"));
	v.vmstate = xstrdup("provisioning");
	what = xprintf("create %s", v.uuid);
	/* until the record names it, nothing else keeps the image from being deleted; the built-in one never is */
	if (vm_str(v.rec, "image_uuid")) {
		image = image_lock(c, vm_str(v.rec, "image_uuid"), true, false, e);
		if (image < 0)
			return image;
	}
	r = disks_hold(c, json_object_get(v.rec, "disks"), &held, e);
	if (r < 0)
		return r;
	v.lock = lock_take(c, v.uuid, e);
	if (v.lock < 0)
		return v.lock;
	if (vm_bool(v.rec, "autoboot", true))
		noted = ahead(&v);
	r = state_open(c, STATE_WRITE, &v.st, e);
	if (r == 0)
		r = vm_need_store(&v, e);
	if (r == 0)
		r = vm_need_image(&v, e);
	if (r == 0)
		r = failpoint("create-known", e);
	if (r == 0) {
		/* a uuid that exists must not get as far as the undos, which would take the other VM away */
		r = state_vm_has(v.st, v.uuid, e);
		if (r == 1)
			return not_begun(&v, noted, err_set(e, EEXIST, "VM %s exists already", v.uuid));
		if (r == 0)
			r = dataset_absent(&v, e);
	}
	if (r == 0)
		r = failpoint("create-begin", e);
	if (r == 0)
		r = intent_set(c, v.uuid, "create", e);
	if (r < 0)
		return not_begun(&v, noted, r);
	usage_vm_new(c, v.uuid);
	r = steps_run(c, what, create_steps, ARRAY_LEN(create_steps), &o, e);
	vm_ahead_drop(&v, NULL);
	intent_clear(c, v.uuid);
	if (r < 0)
		return r;
	/* the event feed is for watchers; the VM is there whether or not it could be told */
	state_event(v.st, "create", v.uuid, NULL, NULL);
	warm_later(&v);
	if (!v.awaited || vm_bool(payload, "nowait", false))
		return 0;
	own_fd(&v.lock);
	return provision_wait(c, v.uuid, e);
}
