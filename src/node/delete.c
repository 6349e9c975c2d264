/* SPDX-License-Identifier: MPL-2.0 */
/* A VM goes: a list of steps without undos, which the next command finishes if this one does not. */
#include <errno.h>

#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/flow.h"
#include "node/fw.h"
#include "node/lock.h"
#include "node/outside.h"
#include "node/router.h"
#include "node/stop.h"
#include "node/usage.h"
#include "node/vm.h"
#include "node/vmops.h"

static int do_halt(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	int r = v->run.running ? zone_mark_halting(c, v->uuid, true, e) : 0;

	if (r == 0)
		r = vm_halt_zone(v, e);
	if (r == 0)
		outside_leave(v);
	return r;
}

static int do_datasets(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	int r = dataset_destroy(v, e);

	/* the row goes when it is certain that a machine that goes down now does not come back with the data */
	return r < 0 ? r : store_sync(v->store, e);
}

static int do_logs(struct ctx *c, void *op, struct err *e)
{
	return vm_logs_remove(op, e);
}

static int do_row(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	_json_ json_t *had = NULL;
	int r = fwaddr_note(v->st, v->rec, &had, e);

	if (r == 0)
		r = fwaddr_moving(v->st, false, v->rec, NULL, e);
	if (r == 0)
		r = flow_forget(v->st, v->uuid, e);
	if (r == 0)
		r = state_vm_delete(v->st, v->uuid, e);
	/* once more: who makes rules meanwhile has found it there */
	return r < 0 && r != -ENOENT ? r : vmfw_change(v, had, NULL, false, e);
}

static int do_firewall(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	return vmfw_change(v, v->rec, NULL, false, e);
}

/* No undos: a delete that was cut off is finished by the next command, from the top. The row goes last, as the handle. */
static const struct step delete_steps[] = {
	{"delete-halt", do_halt, NULL},
	{"delete-data", do_datasets, NULL},
	{"delete-logs", do_logs, NULL},
	{"delete-firewall", do_firewall, NULL},
	{"delete-row", do_row, NULL},
};

int vm_delete_finish(struct vm *v, struct err *e)
{
	_free_ char *what = xprintf("delete %s", v->uuid);

	int r = steps_run(v->c, what, delete_steps, ARRAY_LEN(delete_steps), v, e);

	if (r == 0)
		router_changed(v->c, v->st);
	return r;
}

int vm_delete(struct ctx *c, const char *word, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0)
		return r;
	if (vm_bool(v.rec, "indestructible_zoneroot", false)) {
		err_set(e, EPERM, "VM %s has indestructible_zoneroot set", v.uuid);
		return err_hint(e, "Clear it first: vmadm update %s indestructible_zoneroot=false", v.uuid);
	}
	if (!v.run.running)
		usage_vm_stopped(&v);
	r = intent_set(c, v.uuid, "delete", e);
	if (r == 0)
		r = vm_delete_finish(&v, e);
	if (r < 0)
		return err_add(e, "delete VM %s", v.uuid);
	intent_clear(c, v.uuid);
	state_event(v.st, "delete", v.uuid, NULL, NULL);
	return 0;
}
