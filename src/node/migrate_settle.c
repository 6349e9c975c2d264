/* SPDX-License-Identifier: MPL-2.0 */
/* Whose a machine is after its migration: found out, and acted upon. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/migrate_in.h"
#include "node/stop.h"

#define CALL_MS 30000
#define AGAIN_MS 500 /* nothing tells when the other node has cleared up: it is asked again */
#define ASK_S    30

int vm_migrate_unsettled(const struct vm *v, struct err *e)
{
	if (str_eq(v->vmstate, MIGRATE_STATE)) {
		err_set(e, EBUSY, "VM %s may be another node's: its migration was cut off", v->uuid);
		return err_hint(e, "vmadm migrate %s --resume asks that node; --back: it is known that it has it not", v->uuid);
	}
	if (str_eq(v->vmstate, RECEIVE_STATE))
		return err_set(e, EBUSY, "VM %s is on its way here", v->uuid);
	return 0;
}

int vm_migrate_refuse(const struct vm *v, struct err *e)
{
	if (str_eq(v->vmstate, MIGRATE_KEPT)) {
		err_set(e, EBUSY, "VM %s has gone to another node, and runs there", v->uuid);
		return err_hint(e, "vmadm delete %s; or, if it is no more there: vmadm migrate %s --back", v->uuid, v->uuid);
	}
	return vm_migrate_unsettled(v, e);
}

static int keep_it(struct vm *v, struct err *e)
{
	int r = state_vm_set_autoboot(v->st, v->uuid, 0, e);

	if (r < 0)
		return r;
	json_object_set_new(v->rec, "autoboot", json_false());
	r = mark_drop(v, MIGRATE_KEPT, e);
	if (r == 0)
		r = vm_halt_zone(v, e);
	if (r == 0)
		r = vm_record_save(v, e);
	if (r == 0)
		intent_clear(v->c, v->uuid);
	return r;
}

int migrate_away(struct vm *v, bool keep, struct err *e)
{
	int r;

	state_event(v->st, "migrated", v->uuid, NULL, NULL);
	if (keep)
		return keep_it(v, e);
	/* from here on a kill is a delete that was cut off */
	r = intent_set(v->c, v->uuid, "delete", e);
	/* after a power cut, which takes intents with it, it is one that has gone, and not one that nobody can ask about any more */
	if (r == 0)
		r = mark_drop(v, MIGRATE_KEPT, e);
	if (r == 0)
		r = vm_delete_finish(v, e);
	if (r == 0)
		intent_clear(v->c, v->uuid);
	return r;
}

int migrate_back(struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = 0;

	if (v->run.running) {
		r = machine_call(v, CALL_MS, &q, e);
		if (r == 0)
			r = machine_has_run(v, &q, e);
		if (r == 1) /* nothing was written of one that waits, and what it waits for is not for this to decide */
			r = (r = qmirror_undo(&q, e)) < 0 ? r : qmigrate_undo(&q, e);
		if (r == -ESRCH || r == -EPIPE) /* it has ended meanwhile */
			r = 0;
	}
	if (r == 0 && !str_eq(v->vmstate, "installed"))
		r = mark_drop(v, "installed", e);
	if (r == 0)
		intent_clear(v->c, v->uuid);
	return r;
}

/* final: it has been heard, and says no: it would again. */
static int ask_once(struct ctx *c, const struct migrate_mark *to, const char *uuid, enum migmsg_word *word, bool *final, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	_buf_ struct buf in = BUF_INIT;
	_peer_ struct peer p = PEER_INIT;
	int r = peer_connect(c, to->where, &p, e);

	if (r == 0)
		r = wire_same(&p, to->print, e);
	if (r == 0)
		r = wire_say(p.fd, MIG_ASK, json_pack("{s:s, s:s}", "session", to->session, "uuid", uuid), e);
	if (r == 0)
		r = wire_hear(c, p.fd, &in, CALL_MS, &m, e);
	if (r < 0)
		return r;
	if (m.word == MIG_BUSY)
		return err_set(e, EBUSY, "that node is still at work on it");
	*final = m.word == MIG_NO;
	if (m.word != MIG_TAKEN && m.word != MIG_NOT)
		return wire_refused(&m, e);
	*word = m.word;
	return 0;
}

int migrate_ask(struct ctx *c, const struct migrate_mark *m, const char *uuid, unsigned seconds, enum migmsg_word *word, struct err *e)
{
	uint64_t until = clock_mono_ns() + seconds * 1000000000ULL;
	int r;

	for (;;) {
		struct err why = ERR_INIT;
		bool final = false;

		r = ask_once(c, m, uuid, word, &final, &why);
		if (r == 0)
			return 0;
		if (e)
			*e = why;
		if (final || clock_mono_ns() > until || ctx_check(c, NULL) < 0)
			return r;
		poll(&(struct pollfd){.fd = c->cancel, .events = POLLIN}, 1, AGAIN_MS);
	}
}

int vm_migrate_settle(struct ctx *c, const char *word, const char *where, bool back, bool keep, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	enum migmsg_word answer = MIG_NOT;
	struct migrate_mark m = {"", "", ""};
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0)
		return r;
	if (!str_eq(v.vmstate, MIGRATE_STATE) && !(back && str_eq(v.vmstate, MIGRATE_KEPT)))
		return err_set(e, EINVAL, "VM %s: it is nobody else's: there is nothing to find out", v.uuid);
	if (!back) {
		r = mark_get(&v, &m, e);
		if (r == 0 && where)
			r = mark_where(&m, where, e);
		if (r == 0)
			r = migrate_ask(c, &m, v.uuid, ASK_S, &answer, e);
		if (r < 0) {
			err_add(e, "whose VM %s is", v.uuid);
			return e && *e->hint ? -e->code : err_hint(e, "There, vmadm receive has to listen: it answers.");
		}
	}
	if (answer == MIG_TAKEN)
		r = migrate_away(&v, keep, e);
	else
		r = migrate_back(&v, e);
	return r < 0 ? err_add(e, "VM %s", v.uuid) : answer == MIG_TAKEN;
}

int vm_migrate_recover(struct vm *v, const char *intent, struct err *e)
{
	if (str_eq(intent, MIGRATE_GONE)) {
		ctx_log(v->c, LOG_WARN, "VM %s stands: it may be another node's: vmadm migrate %s --resume", v->uuid, v->uuid);
		return 1;
	}
	return migrate_back(v, e);
}
