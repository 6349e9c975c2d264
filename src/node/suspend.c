/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine to disk. Its state counts from the moment that it bears its name, for good; before that its guest runs on, whatever happens, and from then on
 * no instruction of it runs before the name is gone.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/migrate.h"
#include "node/saved.h"
#include "node/stop.h"
#include "node/vm.h"
#include "node/vmops.h"

#define AWAIT_MS  30000
#define ANSWER_MS 5000 /* in the way of a command that may be about another VM */

struct suspend {
	struct vm *v;
	struct qmigrate_now end;
};

static int do_write(struct ctx *c, void *op, struct err *e)
{
	struct suspend *s = op;

	return saved_write(s->v, SAVED_NEW, NULL, &s->end, e);
}

static int go_on(struct vm *v, int ms, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r;

	if (!v->run.running) /* the state of one that has ended counts if it has its name */
		return saved_tidy(v, e);
	/*
	 * One that was killed with its state whole, by whoever did not get further, may not be gone yet: no guest goes on in it, and the state is all that there
	 * is of that guest's memory. So it has to answer first.
	 */
	r = machine_call(v, ms, &q, e);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	r = machine_has_run(v, &q, e);
	if (r == 0) /* nothing was written of it: it waits, as it did */
		return saved_tidy(v, e);
	if (r > 0)
		r = saved_drop(v, e);
	if (r >= 0)
		r = qmigrate_undo(&q, e);
	if (r == 0) /* it ends by itself again */
		r = zone_mark_halting(v->c, v->uuid, false, e);
	return r;
}

static int undo_write(struct ctx *c, void *op, struct err *e)
{
	struct suspend *s = op;

	return go_on(s->v, AWAIT_MS, e);
}

static int do_commit(struct ctx *c, void *op, struct err *e)
{
	return saved_commit(((struct suspend *)op)->v, e);
}

/* It comes up by a command, as one that was stopped does. Last: a guest that runs on after all comes up with the host as before. */
static int do_autoboot(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct suspend *)op)->v;
	int r = state_vm_set_autoboot(v->st, v->uuid, 0, e);

	if (r <= 0)
		return r;
	json_object_set_new(v->rec, "autoboot", json_false());
	return vm_record_save(v, e);
}

static int do_halt(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = ((struct suspend *)op)->v;
	int r = zone_mark_halting(c, v->uuid, true, e);

	return r < 0 ? r : vm_halt_zone(v, e);
}

static const struct step suspend_steps[] = {
	{"suspend-write", do_write, undo_write},
	{"suspend-commit", do_commit, NULL},
	{"suspend-halt", do_halt, NULL},
	{"suspend-autoboot", do_autoboot, NULL},
};

int suspend_recover(struct vm *v, struct err *e)
{
	return go_on(v, ANSWER_MS, e);
}

int vm_suspend(struct ctx *c, const char *word, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_free_ char *what = NULL;
	struct suspend s = {.v = &v};
	uint64_t begin = clock_mono_ns();
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r == 0)
		r = vm_migrate_unsettled(&v, e);
	if (r < 0)
		return r;
	r = intent_refuse(c, v.uuid, e);
	if (r < 0)
		return r;
	if (!brand_hvm(v.brand))
		return err_set(e, ENOTSUP, "VM %s: only hardware virtual machines (brand kvm) can be suspended", v.uuid);
	if (!v.run.running && saved_there(c, v.uuid))
		return 1;
	if (!v.run.running)
		return err_set(e, EINVAL, "VM %s is not running", v.uuid);
	what = xprintf("suspend %s", v.uuid);
	r = intent_set(c, v.uuid, "suspend", e);
	if (r == 0)
		r = steps_run(c, what, suspend_steps, ARRAY_LEN(suspend_steps), &s, e);
	intent_clear(c, v.uuid);
	if (r < 0)
		return err_add(e, "suspend VM %s", v.uuid);
	ctx_log(c, LOG_INFO, "suspend %s: done in %.3f ms", v.uuid, (double)(clock_mono_ns() - begin) / 1e6);
	state_event(v.st, "suspend", v.uuid, NULL, NULL);
	return 0;
}
