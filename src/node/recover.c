/* SPDX-License-Identifier: MPL-2.0 */
/* Clearing up after commands that were killed: each left an intent whose lock is free. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/create.h"
#include "node/flow.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/migrate_in.h"
#include "node/saved.h"
#include "node/snapshot.h"
#include "node/stop.h"
#include "node/update.h"
#include "node/vm.h"
#include "node/vmops.h"

static int recover_open(struct ctx *c, const char *uuid, struct vm *v, struct err *e)
{
	int r;

	v->c = c;
	strcpy(v->uuid, uuid);
	r = state_open(c, STATE_WRITE, &v->st, e);
	if (r == 0)
		r = vm_need_store(v, e);
	if (r < 0)
		return r;
	r = state_vm_get(v->st, uuid, &v->rec, &v->vmstate, &v->id_base, e);
	if (r == -ENOENT) {
		/* killed before its row was committed, or after its row was deleted */
		v->rec = json_object();
		r = 0;
	}
	if (r == 0)
		r = zone_status(c, uuid, &v->run, e);
	v->brand = brand_find(vm_str(v->rec, "brand"));
	return r;
}

/* Made for a VM that was not yet, or that was there before and is none of the killed command's business. */
static int cgroups_only(struct vm *v, struct err *e)
{
	int r = v->run.running ? 0 : vm_need_cg(v, e);

	return r < 0 || v->run.running || cg_zone_populated(&v->cg, v->uuid) ? r : cg_zone_destroy(&v->cg, v->uuid, 1000, e);
}

/* Tried once: a guest whose agent is gone holds nobody up. */
static int thaw(struct vm *v)
{
	struct err e = ERR_INIT;

	if (machine_thaw(v, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: its file systems may be frozen still: %s", v->uuid, e.msg);
	return 0;
}

static void unfinished(struct ctx *c, const char *uuid)
{
	snprintf(c->unfinished, sizeof c->unfinished, "%s", uuid);
}

static int recover_in(struct vm *v, struct ctx *c, const char *uuid, const char *what)
{
	int word = (int)strcspn(what, "\n"), r;
	struct err e = ERR_INIT;

	r = recover_open(c, uuid, v, &e);
	/* empty: killed between making it and writing, or over "cgroups" */
	if (r == 0 && (!*what || str_eq(what, "cgroups")))
		r = cgroups_only(v, &e);
	else if (r == 0 && str_eq(what, "create"))
		r = str_eq(v->vmstate, "installed") ? 0 : vm_create_undo(v, &e);
	else if (r == 0 && str_eq(what, "delete"))
		r = vm_delete_finish(v, &e);
	else if (r == 0 && str_starts(what, "update\n") && v->vmstate)
		r = vm_update_recover(v, what + strlen("update\n"), &e);
	else if (r == 0 && str_eq(what, "freeze"))
		r = v->run.running ? thaw(v) : 0;
	else if (r == 0 && (str_eq(what, "suspend") || str_eq(what, "checkpoint")))
		r = suspend_recover(v, &e);
	else if (r == 0 && str_starts(what, "rollback\n")) /* killed behind the exchange: the root is the snapshot's, its memory not yet its state */
		r = v->run.running ? 0 : saved_adopt(v, what + strlen("rollback\n"), &e);
	else if (r == 0 && str_eq(what, "reprovision"))
		r = vm_reprovision_finish(v, &e);
	else if (r == 0 && str_starts(what, MIGRATE_INTENT) && (r = vm_migrate_recover(v, what, &e)) == 1) {
		unfinished(c, uuid);
		return 0;
	} else if (r == 0 && str_starts(what, RECEIVE_INTENT))
		r = vm_receive_recover(v, what, &e);
	if (r < 0) {
		ctx_log(c, LOG_WARN, "clearing up after an interrupted %.*s of VM %s: %s", word, what, uuid, e.msg);
		unfinished(c, uuid);
		return 0;
	}
	intent_clear(c, uuid);
	ctx_log(c, LOG_INFO, "cleared up after an interrupted %.*s of VM %s", word, what, uuid);
	return 0;
}

/* Under the VM's lock, which is the caller's. */
static int recover_locked(struct ctx *c, const char *uuid, const char *what, int lock)
{
	_vm_ struct vm v = VM_INIT;
	int r;

	v.lock = lock;
	r = recover_in(&v, c, uuid, what);
	v.lock = -1;
	return r;
}

static int recover_one(const char *uuid, const char *what, void *arg)
{
	struct ctx *c = arg;
	_buf_ struct buf now = BUF_INIT;
	_fd_ int lock = lock_try(c, uuid, NULL);

	/* its command is at work, or was until now */
	return lock < 0 || intent_read(c, uuid, &now) < 0 ? 0 : recover_locked(c, uuid, buf_str(&now), lock);
}

/* What a VM that is there may have, and whoever waited for its lock behind the one that was killed has to know: the others make VMs or take them away. */
static bool of_a_vm(const char *what)
{
	return str_starts(what, "update\n") || str_eq(what, "freeze") || str_eq(what, "suspend") || str_eq(what, "checkpoint") || str_starts(what, "rollback\n") ||
	       str_starts(what, MIGRATE_INTENT);
}

int node_recover_held(struct ctx *c, const char *uuid, int lock)
{
	_buf_ struct buf now = BUF_INIT;

	return str_eq(c->unfinished, uuid) || intent_read(c, uuid, &now) < 0 || !of_a_vm(buf_str(&now)) ? 0 : recover_locked(c, uuid, buf_str(&now), lock);
}

struct only {
	struct ctx *c;
	const char *uuid;
};

static int recover_this(const char *uuid, const char *what, void *arg)
{
	struct only *o = arg;

	return str_eq(uuid, o->uuid) && (!*what || str_starts(what, "update\n")) ? recover_one(uuid, what, o->c) : 0;
}

int node_recover_update(struct ctx *c, const char *uuid, struct err *e)
{
	return intent_each(c, recover_this, &(struct only){c, uuid}, e);
}

int node_recover(struct ctx *c, struct err *e)
{
	int r = flow_recover(c, e);

	*c->unfinished = 0;
	return r < 0 ? r : intent_each(c, recover_one, c, e);
}
