/* SPDX-License-Identifier: MPL-2.0 */
#include "node/freeze.h"

#include "base/own.h"
#include "node/guard.h"
#include "node/lock.h"
#include "node/machine.h"

static void as_after_a_cut(const struct vm *v, const struct err *e)
{
	ctx_log(v->c, LOG_WARN, "VM %s: %s: the snapshot is as after a power cut", v->uuid, e->msg);
}

void freeze_begin(struct vm *v, struct freeze *f)
{
	struct err e = ERR_INIT;
	int r;

	if (!brand_hvm(v->brand) || !v->run.running)
		return;
	r = machine_agent(v, &e);
	if (r == 1)
		r = intent_set(v->c, v->uuid, "freeze", &e);
	else if (r == 0)
		return;
	if (r < 0) {
		as_after_a_cut(v, &e);
		return;
	}
	guard_start(v->c, v->uuid, &f->guard);
	f->v = v; /* who did not answer may have frozen all the same */
	if (machine_freeze(v, &e) < 0)
		as_after_a_cut(v, &e);
}

void freeze_end(struct freeze *f)
{
	struct vm *v = f->v;
	struct err e = ERR_INIT;

	if (!v)
		return;
	f->v = NULL;
	if (machine_thaw(v, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: its file systems may be frozen still: %s", v->uuid, e.msg);
	intent_clear(v->c, v->uuid);
	child_end(&f->guard);
}
