/* SPDX-License-Identifier: MPL-2.0 */
/* A VM's zone is booted, or its machine goes on: where it was suspended, or where a command that was killed had left it. */
#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/machine.h"
#include "node/migrate.h"
#include "node/saved.h"
#include "node/vm.h"
#include "node/vmops.h"

static int refuse_failed(const struct vm *v, struct err *e)
{
	_free_ char *name = NULL;

	if (!str_eq(v->vmstate, "failed") && !str_eq(v->vmstate, "provisioning"))
		return 0;
	name = vm_name(v);
	err_set(e, EINVAL, "VM %s is %s", name, v->vmstate);
	return err_hint(e, "Its provisioning did not finish: `vmadm delete %s` clears it away.", v->uuid);
}

static int boot_with(struct vm *v, const json_t *opts, struct err *e)
{
	_json_ json_t *rec = NULL;
	json_t *keep = v->rec;
	int r = machine_start_with(v, opts, &rec, e);

	if (r < 0)
		return r;
	v->rec = rec;
	r = vm_boot_zone(v, 0, e);
	v->rec = keep;
	return r;
}

static int start(struct ctx *c, const char *word, const json_t *opts, bool resume, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	bool resumed;
	int r = vm_open(c, word, VM_LOCK | VM_WRITE | VM_BOOT, &v, e);

	if (r == 0)
		r = vm_migrate_refuse(&v, e);
	if (r < 0)
		return r;
	if (resume && !v.run.running && !saved_there(c, v.uuid))
		return err_set(e, EINVAL, "VM %s is not suspended", v.uuid);
	if (json_array_size(opts) && !v.run.running && saved_there(c, v.uuid)) {
		err_set(e, EBUSY, "VM %s is suspended: what a start is given it has only when it boots", v.uuid);
		return err_hint(e, "vmadm resume %s, or give its memory up, as by a power cut: vmadm stop -F", v.uuid);
	}
	if (v.run.running) {
		/* one whose command was killed may still wait for it; one that is too busy to say so has been let go */
		r = brand_hvm(v.brand) ? machine_go_on(&v, e) : 1;
		/* what was brought to it ended with its command, and it waits on */
		if (r == 2)
			r = vm_halt_zone(&v, e);
		else if (r == 1 || r == -ETIME)
			return json_array_size(opts) ? err_set(e, EBUSY, "VM %s runs: what a start is given it has only then", v.uuid) : 1;
	}
	if (r == 0 && !v.run.running) {
		r = refuse_failed(&v, e);
		if (r == 0)
			r = json_array_size(opts) ? boot_with(&v, opts, e) : saved_boot(&v, e);
	}
	if (r < 0)
		return err_add(e, "start VM %s", v.uuid);
	resumed = r == 1;
	r = state_vm_set_autoboot(v.st, v.uuid, 1, e);
	if (r > 0) {
		json_object_set_new(v.rec, "autoboot", json_true());
		r = vm_record_save(&v, e);
	}
	if (r < 0)
		return err_add(e, "VM %s runs, but autoboot could not be stored", v.uuid);
	state_event(v.st, resumed ? "resume" : "start", v.uuid, NULL, NULL);
	return 0;
}

int vm_start(struct ctx *c, const char *word, const json_t *opts, struct err *e)
{
	return start(c, word, opts, false, e);
}

int vm_resume(struct ctx *c, const char *word, struct err *e)
{
	return start(c, word, NULL, true, e);
}
