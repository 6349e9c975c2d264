/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "hvm/qlayout.h"
#include "kern/sock.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/machine_state.h"
#include "node/receive_in.h"
#include "node/screen.h"

#define CALL_MS   30000
#define ANSWER_MS 30000
#define NBD_SOCK  "mirrors.sock"
#define STALL_S   90 /* longer than the sender waits for the least that may go at a time */
#define LOOK_NS   500000000ULL
#define HELD_SLACK (64ULL << 20)
#define FOUND_MS  10000 /* for the monitor of one whose command was killed: the other node waits for the answer, and so does whoever else is heard */

/* ---- it begins ---- */

static int serve_disks(struct taking *t, struct err *e)
{
	_free_ char *dir = xprintf("%s/%s", t->v.c->node.run, t->v.uuid);
	_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	json_t *d;
	size_t i;
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s", dir);
	t->nbd = sock_serve(fd, NBD_SOCK, e);
	r = t->nbd < 0 ? t->nbd : qmirror_serve(&t->q, t->nbd, (unsigned)json_array_size(json_object_get(t->v.rec, "disks")) + 1, e);
	json_array_foreach(json_object_get(t->v.rec, "disks"), i, d)
	{
		qdisk_name name;

		qdisk_name_of(t->v.rec, d, name);
		if (r == 0)
			r = qmirror_export(&t->q, name, e);
	}
	return r < 0 ? err_add(e, "take its disks in") : 0;
}

/* All that is not the guest's own is done ahead: what is left for its last moment is to let it go. */
static int ready(struct taking *t, struct err *e)
{
	int r = machine_call(&t->v, CALL_MS, &t->q, e);

	/* this processor and this program can go on with it: known before anything is copied */
	if (r == 0)
		r = qlayout_suits(&t->q, t->layout, e);
	if (r == 0)
		r = screen_open(&t->v, &t->q, e);
	if (r == 0)
		r = disks_tune(&t->q, t->v.rec, clock_mono_ns() + CALL_MS * 1000000ULL, e);
	if (r == 0)
		r = serve_disks(t, e);
	return r == 0 ? failpoint("receive-ready", e) : r;
}

static void taking_free(struct taking *t)
{
	qmp_close(&t->q);
	own_fd(&t->nbd);
	own_fd(&t->stream);
	peer_close(&t->control);
	buf_done(&t->in);
	json_decref(t->layout);
	vm_close(&t->v);
	free(t);
}

int taking_begin(struct ctx *c, struct migmsg *offer, struct taking **out, struct err *e)
{
	const json_t *seed = json_object_get(offer->json, "seed");
	struct taking *t = xalloc(sizeof *t);
	int r;

	*t = (struct taking){.v = VM_INIT, .q = QMP_INIT, .control = PEER_INIT, .in = BUF_INIT, .nbd = -1, .stream = -1};
	t->v.c = c;
	strcpy(t->session, offer->session);
	t->layout = json_incref(json_object_get(offer->json, "layout"));
	t->begin = t->since = clock_mono_ns();
	t->snapshots = offer->snapshots;
	r = receive_check(&t->v, offer, &t->most, e);
	t->v.incoming.layout = t->layout;
	t->v.incoming.seed = seed;
	t->v.incoming.hold = true;
	if (r == 0 && seed && !json_is_string(seed))
		r = err_set(e, EPROTO, "its NoCloud disk is damaged");
	if (r == 0)
		r = receive_make(&t->v, e);
	t->v.incoming.seed = NULL; /* the offer's */
	if (r < 0) {
		taking_free(t);
		return r;
	}
	r = ready(t, e);
	if (r < 0) {
		taking_end(t, false);
		return r;
	}
	t->since = clock_mono_ns();
	*out = t;
	return 0;
}

/* ---- what comes ---- */

static bool ours(const struct taking *t, const char *node, int *number)
{
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(t->v.rec, "disks"), i, d)
	{
		qdisk_name name;

		qdisk_name_of(t->v.rec, d, name);
		*number = qdisk_number(t->v.rec, d);
		if (str_eq(name, node) && *number >= 0 && *number < (int)ARRAY_LEN(t->come))
			return true;
	}
	return false;
}

static void relay_of(struct taking *t, const struct peer *p)
{
	if (t->nrelays < ARRAY_LEN(t->relays))
		t->relays[t->nrelays++] = p->tls;
}

static int a_disk(struct taking *t, const struct migmsg *m, struct peer *p, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" NBD_SOCK, t->v.c->node.run, t->v.uuid), *ok = NULL;
	_fd_ int fd = -1;
	int number = 0;

	if (!ours(t, m->node, &number) || t->come[number])
		return err_set(e, EPROTO, "a disk comes that was not offered, or twice");
	fd = sock_call(path, CALL_MS, e);
	if (fd < 0)
		return fd;
	t->come[number] = true;
	t->disks++;
	relay_of(t, p);
	ok = migmsg_text(MIG_OK, NULL);
	return peer_hand_over(p, ok, fd, e);
}

int taking_stream(struct taking *t, const struct migmsg *m, struct peer *p, struct err *e)
{
	int r;

	if (m->word == MIG_SNAPSHOTS) {
		relay_of(t, p);
		return taking_snaps_begin(t, p, e);
	}
	if (t->snapshots)
		return err_set(e, EPROTO, "it comes ahead of its snapshots");
	if (m->word == MIG_DISK)
		return a_disk(t, m, p, e);
	if (t->memory)
		return err_set(e, EPROTO, "its memory comes twice");
	r = wire_say(p->fd, MIG_OK, NULL, e);
	if (r < 0)
		return r;
	relay_of(t, p);
	t->stream = take_fd(&p->fd);
	t->memory = true;
	return 0;
}

/* From here on it is ours, whatever becomes of the link and of the node it came from; what it does not do is run twice. */
static int now_ours(struct taking *t, struct err *e)
{
	int r = failpoint("receive-go", e);

	if (r == 0)
		r = qmirror_unserve(&t->q, e);
	if (r == 0)
		r = mark_taken(&t->v, t->session, e);
	if (r == 0)
		t->mine = true;
	return r == 0 ? failpoint("receive-taken", e) : r;
}

void taking_hear(struct taking *t)
{
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	struct err e = ERR_INIT;
	int r = wire_look(t->control.fd, &t->in, &m, &e);

	if (r == 1 && m.word == MIG_GO && t->memory && !t->mine)
		r = now_ours(t, &e);
	else if (r == 1)
		r = err_set(&e, EPROTO, "the other node says what was not asked");
	/* the link may be cut when all is said: then the memory is here, or its stream has ended too */
	if (r == -EPIPE && t->mine) {
		own_fd(&t->control.fd);
		return;
	}
	if (r < 0)
		t->failed = e;
}

/*
 * Of the pool: holes are none. Files may hold more than they have (docs/decisions/disk-room.md), which only the VM's group counts: that is believed where it is
 * beyond what an honest mirror comes to.
 */
static uint64_t room_taken(struct taking *t)
{
	uint64_t sum = taking_snaps_bytes(t), limit, held = 0;
	json_t *d;
	size_t i;

	json_array_foreach(json_object_get(t->v.rec, "disks"), i, d)
	{
		_free_ char *path = disk_path(t->v.c, t->v.rec, d);
		struct stat st;

		if (stat(path, &st) == 0)
			sum += (uint64_t)st.st_blocks * 512;
	}
	if (store_quota_get(t->v.store, store_quota_id(t->v.store, t->v.id_base), &limit, &held, NULL) < 0)
		return sum;
	held -= held < t->most / 4 + HELD_SLACK ? held : t->most / 4 + HELD_SLACK;
	return held > sum ? held : sum;
}

void taking_bounds(struct taking *t, const struct receive_opts *o)
{
	uint64_t now = clock_mono_ns(), turns = t->nrelays, taken, stall = (o->stall_s ?: STALL_S) * 1000000000ULL;
	bool moved = false;

	taking_snaps_look(t, &moved);
	if (moved)
		t->since = now;
	if (t->failed.code || now - t->looked < LOOK_NS)
		return;
	t->looked = now;
	for (size_t i = 0; i < t->nrelays; i++)
		turns += peer_turns(t->relays[i]);
	if (turns != t->turns) {
		t->turns = turns;
		t->since = now;
	}
	taken = room_taken(t);
	if (taken > t->most) {
		err_set(&t->failed, ENOSPC, "its disks come to %llu MiB, and there is room for %llu", (unsigned long long)taken >> 20, (unsigned long long)t->most >> 20);
		err_hint(&t->failed, "cloister pool grow");
	} else if (o->limit_s && now - t->begin > o->limit_s * 1000000000ULL) {
		err_set(&t->failed, ETIME, "it is not here within %u s", o->limit_s);
	} else if (now - t->since > stall) {
		err_set(&t->failed, ETIME, "nothing of it has come for %u s", o->stall_s ?: STALL_S);
	}
}

int taking_watch(struct taking *t)
{
	struct err e = ERR_INIT;
	int r = qmp_do(&t->q, "query-status", NULL, ANSWER_MS, NULL, &e);

	if (r < 0)
		t->failed = e;
	return r;
}

int taking_memory(struct taking *t, int (*each)(void *arg, const struct qmigrate_now *now, struct err *e), void *arg, struct err *e)
{
	struct qmigrate_opts o = {.progress = each, .arg = arg};
	int r = failpoint("receive-memory", e);

	if (r == 0)
		r = qmigrate_in(&t->q, t->stream, &o, e);
	own_fd(&t->stream);
	if (r == -EPIPE)
		return err_set(e, EPIPE, "its memory did not come whole: the link was cut, or QEMU can't read it");
	if (r == 0)
		r = qlayout_came(&t->q, t->layout, e);
	return r < 0 ? r : failpoint("receive-loaded", e);
}

int taking_run(struct taking *t, struct err *e)
{
	struct err why = ERR_INIT;
	/* one that does not answer this is not told to go on, and what is not to be heard of "cont" has nothing ahead of it */
	int r = qmp_do(&t->q, "query-status", NULL, ANSWER_MS, NULL, e);

	/* said ahead: one that has run can't be given back */
	if (r == 0)
		r = intent_set(t->v.c, t->v.uuid, RECEIVE_RUNS, e);
	if (r < 0)
		return r;
	r = qmp_do(&t->q, "cont", NULL, ANSWER_MS, NULL, &why);
	if (r == 0)
		r = failpoint("receive-answer", &why);
	/* it says itself that it did not */
	if (r == -EREMOTEIO) {
		*e = why;
		return r;
	}
	/* and one that says nothing may have: what its guest has done since, nobody can take back. It is this node's, as any other monitor that hangs or has ended. */
	if (r < 0) {
		ctx_log(t->v.c, LOG_WARN, "VM %s is here, and its monitor does not say that its guest runs: %s", t->v.uuid, why.msg);
		qmp_close(&t->q); /* its answers would be one late */
	}
	failpoint("receive-runs", NULL);
	/* whether it is heard or not: the source asks again */
	if (t->control.fd >= 0)
		wire_say(t->control.fd, MIG_RUNS, NULL, NULL);
	return 0;
}

/* ---- it ends ---- */

static void whole(struct taking *t)
{
	struct vm *v = &t->v;
	struct err e = ERR_INIT;
	int r = vm_record_save(v, &e);

	if (r == 0)
		r = dataset_made(v, &e);
	if (r < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s", v->uuid, e.msg);
	if (t->q.fd >= 0) {
		if (machine_ask_memory(&t->q, &e) < 0 || qmp_settle(&t->q, CALL_MS, &e) < 0 || machine_order_later(v->rec, &t->q, &e) < 0)
			ctx_log(v->c, LOG_WARN, "VM %s: %s", v->uuid, e.msg);
		machine_woken(v, &t->q);
		qmp_close(&t->q);
	}
	state_event(v->st, "received", v->uuid, NULL, NULL);
	intent_clear(v->c, v->uuid);
}

static void nothing_left(struct taking *t)
{
	struct vm *v = &t->v;
	struct err e = ERR_INIT;
	json_t *why = json_pack("{s:s, s:s}", "why", t->failed.code ? t->failed.msg : "it was cancelled there", "hint", t->failed.hint);
	int r = 0, cancel = v->c->cancel;

	/* who cancels wants this, and not that it is cancelled half way */
	v->c->cancel = -1;
	qmp_close(&t->q);
	/* first: "no" may only be said of what can not become ours any more */
	if (t->mine)
		r = mark_not_taken(v, &e);
	if (r == 0)
		r = vm_receive_undo(v, &e);
	if (r < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s", v->uuid, e.msg);
	else
		intent_clear(v->c, v->uuid);
	if (r == 0 && t->control.fd >= 0)
		wire_say(t->control.fd, MIG_NO, json_incref(why), NULL);
	v->c->cancel = cancel;
	json_decref(why);
}

void taking_end(struct taking *t, bool runs)
{
	taking_snaps_end(t);
	if (runs)
		whole(t);
	else
		nothing_left(t);
	taking_free(t);
}

/* 1: all of its memory is there, 0: not. */
static int found_whole(const struct vm *v, struct err *e)
{
	_json_ json_t *status = NULL;
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, FOUND_MS, &q, e);

	qmp_bound(&q, FOUND_MS);
	if (r == 0)
		r = qmp_do(&q, "query-status", NULL, FOUND_MS, &status, e);
	return r < 0 ? r : !str_eq(vm_str(status, "status"), "inmigrate");
}

/* What talking to a monitor comes to that hangs, has ended, refuses or says what it should not. */
static bool monitors(int r)
{
	return r == -ETIME || r == -ESRCH || r == -EPIPE || r == -ECONNRESET || r == -EPROTO || r == -EREMOTEIO || r == -ECHILD;
}

/*
 * Its command was killed when it was ours, or was to be. One that has not run is the source's again, which has kept it; one that may have is ours, whatever
 * its monitor says or does not: taking_run().
 */
int vm_receive_recover(struct vm *v, const char *intent, struct err *e)
{
	bool taken = str_eq(v->vmstate, "installed"), runs = str_eq(intent, RECEIVE_RUNS);
	struct err why = ERR_INIT;
	int r = taken && v->run.running ? found_whole(v, &why) : 0;

	if (taken && (runs || r > 0)) {
		int k = runs ? 0 : intent_set(v->c, v->uuid, RECEIVE_RUNS, e);

		if (k < 0)
			return k;
		if (v->run.running && r >= 0)
			r = machine_go_on(v, &why);
		/* a failure of our own: the next command tries again, and what is stored says that it is not the source's */
		if (r < 0 && !monitors(r)) {
			if (e)
				*e = why;
			return r;
		}
		if (r < 0)
			ctx_log(v->c, LOG_WARN, "VM %s is here, and its monitor does not say that its guest runs: %s", v->uuid, why.msg);
		r = vm_record_save(v, e);
		return r < 0 ? r : dataset_made(v, e);
	}
	r = 0;
	if (taken)
		r = mark_not_taken(v, e);
	return r < 0 ? r : vm_receive_undo(v, e);
}
