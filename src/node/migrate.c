/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The node that a machine goes from. All of it can be taken back until "go" is said; from then on, until the target has answered, nothing is: two of one
 * machine would be worse than one that stands.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/guard.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/migrate_in.h"
#include "node/seed.h"
#include "node/vmops.h"

#define CALL_MS   30000
#define OFFER_MS  120000 /* it makes a VM there, and starts its monitor */
#define ANSWER_MS 60000  /* to "go": the last part of its memory goes meanwhile */
#define ASK_S     30     /* after a cut: the link may come back */
#define DOWN_MS   100
#define DOWN_MAX  2000   /* what a guest that does not converge may be made to stand at most, where nothing was said */
#define STALL_S   30     /* of nothing that goes: the other node hangs, and so does what the guest writes */
#define SNAPS_S   300    /* the same of snapshots: nothing of the guest waits, and a pool there may have to write out the one before */
#define CHUNK     (4ULL << 20) /* a mirror that is held back sends this much at once, or less */
#define LOOK_NS   1000000000ULL
#define NEED_MS   500    /* of no progress, until it is let stand longer */

/* How far something has come, and since when it has not. */
struct watch {
	uint64_t at, since;
};

struct out {
	struct vm *v;
	struct migrate_mark to; /* its fingerprint is known when it has answered */
	const struct migrate_opts *o;
	struct migrate_done *done;
	uint64_t begin, deadline;
	uint64_t round, best, best_at; /* of its memory: how much was left as the best of the rounds began, and when that was */
	json_t *layout;
	struct peer control;
	struct buf in;
	struct qmp q;
	bool gone;    /* "go" has been said, or may have been */
	bool stuck;   /* mirrors, guest or mark could not be taken back */
	bool refused; /* and the target has said that it has it not */
	uint64_t runs_ns, gone_at;
	struct watch disks, memory, snapshots;
	struct migrate_snaps snaps;
	uint64_t looked; /* at the mirrors, while its memory goes */
};

/* ---- told and asked meanwhile ---- */

/* The target gives up with a reason, or the link is cut. */
static int target_well(struct out *o, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	int r = wire_look(o->control.fd, &o->in, &m, e);

	return r == 1 ? wire_refused(&m, e) : r;
}

static int go_on(struct out *o, struct err *e)
{
	int r = ctx_check(o->v->c, e);

	if (r == 0)
		r = target_well(o, e);
	if (r == 0 && o->deadline && clock_mono_ns() > o->deadline) {
		err_set(e, ETIME, "not done within %u s", o->o->limit_s);
		return err_hint(e, "Its guest writes faster than the link carries: --downtime more, or --limit longer.");
	}
	return r;
}

static int moves(struct out *o, struct watch *w, uint64_t at, unsigned most_s, const char *what, struct err *e)
{
	uint64_t t = clock_mono_ns(), s = o->o->stall_s ?: most_s;

	if (o->o->bandwidth && s < CHUNK / o->o->bandwidth)
		s = CHUNK / o->o->bandwidth;
	if (at != w->at || !w->since)
		*w = (struct watch){at, t};
	if (t - w->since < s * 1000000000ULL)
		return 0;
	err_set(e, ETIME, "nothing of its %s has gone for %llu s: the other node hangs", what, (unsigned long long)s);
	return err_hint(e, "Its guest runs on here. --stall: for how long that is borne.");
}

/* What its guest writes meanwhile waits for the other node too, and its memory may go on as if nothing were. */
static int mirrors_move(struct out *o, struct err *e)
{
	struct qmirror_now now;
	uint64_t t = clock_mono_ns();
	int r;

	if (t - o->looked < LOOK_NS)
		return 0;
	o->looked = t;
	r = qmirror_look(&o->q, &now, e);
	if (r == 0 && now.done == now.total)
		o->disks.since = 0;
	return r < 0 ? r : moves(o, &o->disks, now.done, STALL_S, "disks", e);
}

static int disks_go(void *arg, uint64_t done, uint64_t total, struct err *e)
{
	struct out *o = arg;

	if (o->v->c->progress)
		o->v->c->progress(o->v->c, "disks", done, total);
	return go_on(o, e) < 0 ? -e->code : moves(o, &o->disks, done, STALL_S, "disks", e);
}

static int snapshots_go(void *arg, const struct migrate_snaps *s, bool settles, struct err *e)
{
	struct out *o = arg;

	if (o->v->c->progress && s->sent < s->bytes)
		o->v->c->progress(o->v->c, "snapshots", s->sent, s->bytes);
	return go_on(o, e) < 0 ? -e->code : settles ? 0 : moves(o, &o->snapshots, s->sent + s->looked, SNAPS_S, "snapshots", e);
}

/*
 * The policy for a guest that writes faster than its memory goes: QEMU slows it down, step by step (auto-converge); if a round begins with no less
 * than the best before it, and the last gain is half a second old, it may stand twice as long, up to DOWN_MAX; what was told on the command line
 * stays as it is. Rounds, and not time alone: on a slow link one takes minutes, and the next is the one that is short.
 */
static int converge(struct out *o, const struct qmigrate_now *now, struct err *e)
{
	uint64_t t = clock_mono_ns();

	if (now->rounds == o->round)
		return 0;
	o->round = now->rounds;
	if (!o->best_at || now->left < o->best - o->best / 8) {
		o->best = now->left;
		o->best_at = t;
		return 0;
	}
	if (o->o->downtime_ms || o->done->limit_ms * 2 > DOWN_MAX || t - o->best_at < NEED_MS * 1000000ULL)
		return 0;
	o->done->limit_ms *= 2;
	o->best_at = t;
	ctx_log(o->v->c, LOG_WARN, "VM %s writes faster than its memory goes: it may stand %u ms", o->v->uuid, o->done->limit_ms);
	return qmp_do(&o->q, "migrate-set-parameters", json_pack("{s:I}", "downtime-limit", (json_int_t)o->done->limit_ms), CALL_MS, NULL, e);
}

static int memory_goes(void *arg, const struct qmigrate_now *now, struct err *e)
{
	struct out *o = arg;
	struct ctx *c = o->v->c;

	/* whose it is by now is not decided here, but who takes the last part in has only so long for it: then it is asked */
	if (o->gone)
		return clock_mono_ns() - o->gone_at < (ANSWER_MS + (uint64_t)o->done->limit_ms) * 1000000 ? 0 : err_set(e, ETIME, "the last part of its memory is not taken in");
	if (c->progress && now->total && !now->stopped)
		c->progress(c, "memory", now->left > now->total ? 0 : now->total - now->left, now->total);
	o->done->memory = now->sent;
	if (now->stopped)
		return 0;
	if (go_on(o, e) < 0 || moves(o, &o->memory, now->sent, STALL_S, "memory", e) < 0 || mirrors_move(o, e) < 0)
		return -e->code;
	return converge(o, now, e);
}

/* The guest stands: its disks are brought to an end, and from the last line on it may be the target's. */
static int stopped(void *arg, struct err *e)
{
	struct out *o = arg;
	int r = failpoint("migrate-stopped", e);

	if (r == 0)
		r = qmirror_end(&o->q, e);
	if (r == 0)
		r = failpoint("migrate-level", e);
	if (r == 0)
		r = go_on(o, e);
	if (r == 0)
		r = intent_set(o->v->c, o->v->uuid, MIGRATE_GONE, e);
	if (r < 0)
		return r;
	o->gone = true;
	o->gone_at = clock_mono_ns();
	/* one that can't be told is asked later */
	wire_say(o->control.fd, MIG_GO, NULL, NULL);
	failpoint("migrate-go", NULL);
	return 0;
}

/* ---- steps ---- */

static bool may_undo(const struct out *o)
{
	return !o->gone || o->refused;
}

static int do_offer(struct ctx *c, void *op, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	_json_ json_t *seed = NULL;
	struct out *o = op;
	uint64_t bytes;
	int r = migrate_disks_check(o->v, &bytes, e);

	if (r == 0 && !o->o->without_snapshots)
		r = migrate_snaps_look(o->v, o->deadline, &o->snaps, e);
	if (r == 0)
		r = machine_layout(o->v, &o->layout, e);
	if (r == 0)
		r = seed_get(o->v, &seed, e);
	if (r == 0)
		r = peer_connect(c, o->to.where, &o->control, e);
	if (r < 0)
		return r;
	strcpy(o->to.print, o->control.print);
	peer_name(c, o->control.print, o->done->peer);
	r = wire_say(o->control.fd, MIG_OFFER,
		     json_pack("{s:i, s:s, s:O, s:O, s:I, s:O*, s:o*}", "version", MIGMSG_VERSION, "session", o->to.session, "record", o->v->rec, "layout", o->layout, "bytes",
			       (json_int_t)bytes, "seed", seed, "snapshots",
			       o->snaps.n ? json_pack("{s:I, s:I}", "count", (json_int_t)o->snaps.n, "bytes", (json_int_t)o->snaps.bytes) : NULL),
		     e);
	if (r == 0)
		r = wire_hear(c, o->control.fd, &o->in, OFFER_MS, &m, e);
	if (r == 0 && m.word != MIG_READY)
		return wire_refused(&m, e);
	if (r == 0 && o->snaps.n && !vm_bool(m.json, "snapshots", false)) {
		err_set(e, ENOTSUP, "it has %zu snapshots, and the other node's Cloister is from before they came along", o->snaps.n);
		return err_hint(e, "Delete them, or say --without-snapshots: they go with the VM here.");
	}
	return r;
}

static int undo_offer(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;

	peer_close(&o->control); /* it takes away what it has made */
	/* what could not be taken back the next command tries again */
	if (may_undo(o) && !o->stuck)
		intent_clear(c, o->v->uuid);
	return 0;
}

static int do_snapshots(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;
	int r = o->snaps.n ? migrate_snaps_send(o->v, &o->snaps, &o->to, o->o->bandwidth, snapshots_go, o, e) : 0;

	o->done->snapshots = (unsigned)o->snaps.n;
	o->done->snapshot_bytes = o->snaps.sent;
	return r;
}

static int do_disks(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;
	struct migrate_mirrors m = {.v = o->v, .q = &o->q, .to = &o->to, .bandwidth = o->o->bandwidth, .each = disks_go, .arg = o};
	int r = machine_call(o->v, CALL_MS, &o->q, e);

	if (r == 0)
		r = migrate_mirror(&m, e);
	o->done->disks = m.bytes;
	return r;
}

/*
 * Guest, mirrors and mark, whatever there is of them. A monitor that waits for the other node, with a write of the guest's or with its last part, hears
 * nobody: cut off it does. And on a connection on which it was waited for in vain its answers come one command late.
 */
static int undo_disks(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;
	int r;

	if (!may_undo(o))
		return 0;
	peer_end_all();
	qmp_close(&o->q);
	r = migrate_back(o->v, e);
	o->stuck = r < 0;
	return r;
}

static int do_mark(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;

	return mark_set(o->v, &o->to, e);
}

/* Whose it is: as the target says on its own, or when it is asked. */
static int answer(struct out *o, struct err *e)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	enum migmsg_word word = MIG_RUNS;
	struct ctx without = *o->v->c;
	struct err why = ERR_INIT;
	int r;

	/* not cancelled any more: it is said whose it is, and then this ends */
	without.cancel = -1;
	r = wire_hear(&without, o->control.fd, &o->in, ANSWER_MS, &m, &why);
	o->runs_ns = clock_mono_ns();
	if (r == 0)
		word = m.word;
	if (r < 0 || (word != MIG_RUNS && word != MIG_NO)) {
		ctx_log(o->v->c, LOG_WARN, "VM %s: %s: asking whose it is", o->v->uuid, r < 0 ? why.msg : "an answer that is none");
		r = migrate_ask(&without, &o->to, o->v->uuid, ASK_S, &word, &why);
		if (r < 0) {
			err_set(e, EINPROGRESS, "nobody knows whether it runs there: %s; here its guest stands", why.msg);
			return err_hint(e, "vmadm migrate %s --resume, when vmadm receive listens there; --back only if it is known not to run there", o->v->uuid);
		}
	}
	if (word == MIG_RUNS || word == MIG_TAKEN)
		return 0;
	o->refused = true;
	return word == MIG_NO ? wire_refused(&m, e) : err_set(e, EPIPE, "the link was cut, and the other node did not take it");
}

static int do_memory(struct ctx *c, void *op, struct err *e)
{
	struct out *o = op;
	struct qmigrate_opts q = {.downtime_ms = o->done->limit_ms, .hold = true, .stay = true, .slow = true, .bandwidth = o->o->bandwidth, .stopped = stopped,
				  .progress = memory_goes, .arg = o};
	_peer_ struct peer p = PEER_INIT;
	struct qmigrate_now end = {0};
	struct err why = ERR_INIT;
	int r = migrate_stream(c, &o->to, MIG_MEMORY, NULL, &p, e);

	if (r < 0)
		return r;
	r = qmigrate_out(&o->q, p.fd, &q, &end, &why);
	/* QEMU's own end too has to be the last: then the stream is over there */
	peer_close(&p);
	if (!o->gone) {
		if (e)
			*e = why;
		return r < 0 ? r : err_set(e, EPROTO, "QEMU has not stopped before its last part");
	}
	if (r == 0)
		o->done->memory = end.sent;
	r = answer(o, e);
	if (r == 0 && o->q.stopped_ns)
		o->done->downtime_ms = (unsigned)((o->runs_ns - o->q.stopped_ns + 999999) / 1000000);
	return r;
}

static const struct step migrate_steps[] = {
	{"migrate-offer", do_offer, undo_offer},
	{"migrate-snapshots", do_snapshots, NULL},
	{"migrate-disks", do_disks, undo_disks},
	{"migrate-mark", do_mark, undo_disks},
	{"migrate-memory", do_memory, undo_disks},
};

static int check(struct vm *v, struct err *e)
{
	int r = vm_migrate_refuse(v, e);

	if (r < 0)
		return r;
	if (!v->brand || !brand_hvm(v->brand))
		return err_set(e, ENOTSUP, "only machines (brand kvm) can go to another node while they run");
	if (!v->run.running) {
		err_set(e, EINVAL, "it is not running");
		return err_hint(e, "vmadm start %s", v->uuid);
	}
	return vm_need_store(v, e);
}

int vm_migrate(struct ctx *c, const char *word, const char *where, const struct migrate_opts *opts, struct migrate_done *done, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	struct out o = {.v = &v, .o = opts, .done = done, .begin = clock_mono_ns(), .control = PEER_INIT, .in = BUF_INIT, .q = QMP_INIT};
	_clean_(child_end) struct child guard = CHILD_INIT;
	_free_ char *what = NULL;
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0)
		return r;
	*done = (struct migrate_done){.limit_ms = opts->downtime_ms ?: DOWN_MS};
	o.deadline = opts->limit_s ? o.begin + opts->limit_s * 1000000000ULL : 0;
	wire_session(o.to.session);
	what = xprintf("migrate %s", v.uuid);
	r = mark_where(&o.to, where, e);
	if (r == 0)
		r = check(&v, e);
	if (r == 0)
		r = intent_refuse(c, v.uuid, e);
	if (r == 0)
		r = intent_set(c, v.uuid, MIGRATE_INTENT, e);
	/* killed with its guest standing, this command would leave it so until somebody types the next */
	if (r == 0)
		guard_start(c, v.uuid, &guard);
	if (r == 0)
		r = steps_run(c, what, migrate_steps, ARRAY_LEN(migrate_steps), &o, e);
	if (o.stuck)
		guard.pid = 0; /* what could not be taken back it tries once more when this command has gone */
	qmp_close(&o.q);
	peer_close(&o.control);
	buf_done(&o.in);
	json_decref(o.layout);
	migrate_snaps_done(&o.snaps);
	done->ms = (unsigned)((clock_mono_ns() - o.begin) / 1000000);
	if (r == 0) {
		failpoint("migrate-away", NULL);
		r = migrate_away(&v, opts->keep, e);
		if (r < 0)
			err_add(e, "it runs there, and here is not wholly gone");
	}
	return r < 0 ? err_add(e, "migrate VM %s", v.uuid) : 0;
}
