/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A VM for a machine that is on its way here: as create makes one, of a record that is whole already, with disks that are empty still and a
 * monitor that waits. Its row says "receiving" until it is this node's: what is killed or loses power before that is taken away.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "hvm/qemu.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/firmware.h"
#include "node/fw.h"
#include "node/hold.h"
#include "node/kernel.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/migrate_in.h"
#include "node/netconf.h"
#include "node/nics.h"
#include "node/screen.h"
#include "node/subid.h"
#include "node/usage.h"
#include "node/vmops.h"

/* ---- what create would refuse ---- */

/* Disks lie in this node's pool. What is not in a pool there can't be here. */
static int disks_here(struct vm *v, struct err *e)
{
	json_t *d;
	size_t i;

	if (vm_str(v->rec, "image_uuid"))
		return err_set(e, EINVAL, "image_uuid: a machine has its image in a disk: disks.*.image_uuid");
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		int n = qdisk_number(v->rec, d), r;

		if (n < 0 || qdisk_cdrom(d) || vm_int(d, "size", 0) <= 0)
			return err_set(e, ENOTSUP, "disks.%zu: a file of the host can't come along", i);
		json_object_set_new(d, "path", json_sprintf("%s/%s/root/disk%d", v->c->node.pool, v->uuid, n));
		r = disk_file_check(v->rec, d, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What is said of its room decides whether it may come, and is not believed: on its way it may grow, by as much as half of what would be left (taking_bounds()).
 * A file system that is full in an hour is not this check's business.
 */
static int room(struct vm *v, uint64_t bytes, uint64_t *most, struct err *e)
{
	struct statvfs fs;
	uint64_t left;

	if (statvfs(v->c->node.pool, &fs) < 0)
		return err_sys(e, errno, "%s", v->c->node.pool);
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	*most = bytes + (left - bytes) / 2;
	if (left >= bytes)
		return 0;
	err_sys(e, ENOSPC, "%s has %llu MiB left, its disks and snapshots hold %llu", v->c->node.pool, (unsigned long long)left >> 20,
		(unsigned long long)bytes >> 20);
	return err_hint(e, "cloister pool grow");
}

/*
 * The disks come whole, however much of them the snapshots share, and what a VM may take is the quota and DISKS_TIMES its disks (dataset.c). What was enough on the
 * other node may not be here, and that is not to be found out at the end.
 */
static int quota_holds(const struct vm *v, uint64_t disks, uint64_t snapshots, struct err *e)
{
	uint64_t quota = (uint64_t)vm_int(v->rec, "quota", 0) << 30, all = quota + DISKS_TIMES * disks_bytes(v->rec);

	if (!quota || !snapshots || (disks <= all && snapshots <= all - disks))
		return 0;
	err_set(e, EDQUOT, "its snapshots come to %llu MiB beside disks with %llu, and its quota has room for %llu in all", (unsigned long long)snapshots >> 20,
		(unsigned long long)disks >> 20, (unsigned long long)all >> 20);
	return err_hint(e, "Where it runs: vmadm update %s quota=GIB, or delete snapshots.", v->uuid);
}

static int load(struct vm *v, const struct migmsg *offer, struct err *e)
{
	_free_ char *text = json_dumps(json_object_get(offer->json, "record"), JSON_COMPACT | JSON_SORT_KEYS);
	int r = vm_record_load(text, strlen(text), &v->rec, e);

	if (r < 0)
		return err_add(e, "its record");
	v->brand = brand_find(vm_str(v->rec, "brand"));
	if (!v->brand || !brand_hvm(v->brand) || !uuid_valid(vm_str(v->rec, "uuid") ?: ""))
		return err_set(e, ENOTSUP, "only machines (brand kvm) come this way");
	snprintf(v->uuid, sizeof v->uuid, "%s", vm_str(v->rec, "uuid"));
	return 0;
}

int receive_check(struct vm *v, const struct migmsg *offer, uint64_t *most, struct err *e)
{
	json_int_t bytes = json_integer_value(json_object_get(offer->json, "bytes"));
	struct ctx *c = v->c;
	bool kvm;
	int r = load(v, offer, e);

	if (r == 0)
		r = qemu_there(e);
	if (r == 0)
		r = vm_available(v->rec, e);
	if (r == 0)
		r = disks_here(v, e);
	if (r == 0)
		r = machine_incoming_check(v, json_object_get(offer->json, "layout"), &kvm, e);
	if (r == 0)
		r = screen_check(c, v->rec, e);
	if (r == 0)
		r = firmware_there(v->rec, e);
	if (r == 0)
		r = kernel_here(c, v->rec, e);
	if (r == 0)
		r = vm_grants_check(v->rec, e);
	if (r == 0)
		r = nics_check(c, NULL, NULL, v->rec, e);
	if (r == 0)
		r = hold_check(c, v->rec, e);
	if (r == 0)
		r = quota_holds(v, bytes > 0 ? (uint64_t)bytes : 0, offer->snapshot_bytes, e);
	if (r == 0)
		r = room(v, (bytes > 0 ? (uint64_t)bytes : 0) + offer->snapshot_bytes, most, e);
	return r;
}

/* ---- the VM ---- */

static int do_row(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	_free_ uint32_t *skip = NULL;
	size_t n = 0;
	int r = subid_in_use(&skip, &n, e);

	if (r == 0)
		r = state_vm_insert(v->st, v->rec, RECEIVE_STATE, skip, n, &v->id_base, e);
	if (r == 0)
		resolvers_look(v);
	return r;
}

static int undo_row(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	int r = state_vm_delete(v->st, v->uuid, e);

	return r == -ENOENT ? 0 : r;
}

/* Its disks are of no image here, whatever they were made of there. */
static int do_root(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	json_t *whole = v->rec, *d;
	size_t i;
	int r;

	v->rec = json_deep_copy(whole);
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
		json_object_del(d, "image_uuid");
	r = dataset_make(v, e);
	json_decref(v->rec);
	v->rec = whole;
	return r;
}

static int undo_root(struct ctx *c, void *op, struct err *e)
{
	return dataset_destroy(op, e);
}

static int do_firewall(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	return vmfw_change(v, NULL, v->rec, false, e);
}

static int undo_firewall(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	return vmfw_change(v, v->rec, NULL, false, e);
}

static int do_boot(struct ctx *c, void *op, struct err *e)
{
	return vm_boot_zone(op, 0, e);
}

static int undo_boot(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	int r = vm_halt_zone(v, e);

	return r < 0 ? r : vm_logs_remove(v, e);
}

static const struct step receive_steps[] = {
	{"receive-row", do_row, undo_row},
	{"receive-root", do_root, undo_root},
	{"receive-firewall", do_firewall, undo_firewall},
	{"receive-boot", do_boot, undo_boot},
};

int vm_receive_undo(struct vm *v, struct err *e)
{
	_free_ char *what = xprintf("undo receive %s", v->uuid);

	return steps_undo(v->c, what, receive_steps, ARRAY_LEN(receive_steps), v, e);
}

int receive_make(struct vm *v, struct err *e)
{
	_free_ char *what = xprintf("receive %s", v->uuid);
	int r = lock_try(v->c, v->uuid, e);

	if (r < 0)
		return r;
	v->lock = r;
	r = state_open(v->c, STATE_WRITE, &v->st, e);
	if (r == 0)
		r = vm_need_store(v, e);
	if (r == 0)
		r = state_vm_has(v->st, v->uuid, e);
	if (r == 1)
		return err_set(e, EEXIST, "VM %s exists already", v->uuid);
	if (r == 0)
		r = dataset_absent(v, e);
	if (r == 0)
		r = intent_set(v->c, v->uuid, RECEIVE_INTENT, e);
	if (r < 0)
		return r;
	mark_trim(v->st, NULL);
	v->vmstate = xstrdup(RECEIVE_STATE);
	usage_vm_new(v->c, v->uuid);
	r = steps_run(v->c, what, receive_steps, ARRAY_LEN(receive_steps), v, e);
	if (r < 0)
		intent_clear(v->c, v->uuid);
	return r;
}
