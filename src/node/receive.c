/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The node that a machine goes to. One loop hears all connections: who they are, which of them is what, and the one that says how the machine is. What the
 * others bring is QEMU's, from the first byte on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "node/lock.h"
#include "node/receive_in.h"
#include "node/vmops.h"

#define CONNS    48
#define SHAKE_NS 25000000000ULL /* for who it is and what it wants */
#define TURN_MS  200

struct conn {
	struct peer p;
	struct buf in;
	uint64_t until;
};

struct receive {
	struct ctx *c;
	int listening;
	const struct receive_opts *o;
	struct conn conn[CONNS];
	size_t n;
	struct taking *now; /* NULL = none is on its way */
	bool asked;         /* somebody was told whose a machine is, or one was refused: that was not what this command waits for */
};

static void tell(struct receive *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct receive *r, const char *fmt, ...)
{
	char text[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->o->said(text);
}

static void conn_drop(struct receive *r, size_t i)
{
	peer_close(&r->conn[i].p);
	buf_done(&r->conn[i].in);
	r->conn[i] = r->conn[--r->n];
	r->conn[r->n] = (struct conn){.p = PEER_INIT};
}

static json_t *why(const struct err *e)
{
	return json_pack("{s:s, s:s}", "why", e->msg, "hint", e->hint);
}

/* ---- what a connection wants ---- */

/* Whether this session's machine is ours. Once it has said "not" it can't become so: its command has ended, and what that left is taken away. */
static int whose(struct receive *r, const struct migmsg *m, enum migmsg_word *word, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	_fd_ int lock = -1;
	int k;

	*word = MIG_BUSY;
	if (r->now && str_eq(r->now->v.uuid, m->uuid))
		return 0;
	k = node_recover(r->c, e);
	if (k < 0)
		return k;
	lock = lock_try(r->c, m->uuid, NULL);
	if (lock < 0 || intent_there(r->c, m->uuid))
		return 0;
	k = state_open(r->c, STATE_WRITE, &st, e);
	if (k == 0)
		k = mark_is_taken(st, m->uuid, m->session, e);
	/* it came another way, from a third node or an archive: who is told "not" would run it a second time */
	if (k == 0 && (k = state_vm_has(st, m->uuid, e)) == 1)
		return err_set(e, EEXIST, "a VM %s is here that came another way: it is for people to say which of the two is the one", m->uuid);
	if (k >= 0)
		*word = k ? MIG_TAKEN : MIG_NOT;
	return k < 0 ? k : 0;
}

static void offer(struct receive *r, size_t i, struct migmsg *m)
{
	struct err e = ERR_INIT;
	char name[PEER_PRINT + 1];
	struct taking *t = NULL;
	int k;

	peer_name(r->c, r->conn[i].p.print, name);
	k = r->now ? err_set(&e, EBUSY, "another machine is on its way there") : 0;
	if (k == 0)
		k = taking_begin(r->c, m, &t, &e);
	if (k < 0) {
		tell(r, "Refused a machine of %s: %s", name, e.msg);
		r->asked = true;
		wire_say(r->conn[i].p.fd, MIG_NO, why(&e), NULL);
		conn_drop(r, i);
		return;
	}
	tell(r, "VM %s is coming from %s", t->v.uuid, name);
	r->now = t;
	t->control = r->conn[i].p;
	t->in = r->conn[i].in;
	r->conn[i].p = PEER_INIT;
	r->conn[i].in = BUF_INIT;
	conn_drop(r, i);
	if (wire_say(t->control.fd, MIG_READY, json_pack("{s:b}", "snapshots", 1), &e) < 0)
		t->failed = e;
}

static void one_word(struct receive *r, size_t i, struct migmsg *m)
{
	struct conn *o = &r->conn[i];
	enum migmsg_word word;
	struct err e = ERR_INIT;
	int k;

	switch (m->word) {
	case MIG_OFFER:
		offer(r, i, m);
		return;
	case MIG_ASK:
		k = whose(r, m, &word, &e);
		r->asked = true;
		wire_say(o->p.fd, k < 0 ? MIG_NO : word, k < 0 ? why(&e) : NULL, NULL);
		if (k == 0 && word == MIG_NOT)
			tell(r, "VM %s: asked whose it is: not this node's", m->uuid);
		break;
	case MIG_DISK:
	case MIG_MEMORY:
	case MIG_SNAPSHOTS:
		if (!r->now || !str_eq(r->now->session, m->session) || !str_eq(r->now->control.print, o->p.print))
			break;
		k = taking_stream(r->now, m, &o->p, &e);
		if (k < 0)
			r->now->failed = e;
		break;
	default:
		break;
	}
	conn_drop(r, i);
}

/* One that has something to say. */
static void hear(struct receive *r, size_t i)
{
	struct conn *o = &r->conn[i];
	struct err e = ERR_INIT;
	_migmsg_ struct migmsg m = MIGMSG_INIT;
	int k = 0;

	if (!*o->p.print) {
		k = peer_shaken(r->c, &o->p, &e);
		if (k == -EACCES)
			tell(r, "Refused: %s\n  %s", e.msg, e.hint);
		if (k < 0 && k != -EAGAIN)
			conn_drop(r, i);
		return;
	}
	k = wire_look(o->p.fd, &o->in, &m, &e);
	if (k == 1)
		one_word(r, i, &m);
	else if (k < 0)
		conn_drop(r, i);
}

static size_t of_its_kind(const struct receive *r, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < r->n; k++)
		n += str_eq(r->conn[k].p.print, r->conn[i].p.print);
	return n;
}

/* Who says nothing keeps nobody out: the oldest goes of the strangers, else of the node that has most. */
static void make_room(struct receive *r)
{
	size_t out = 0;

	for (size_t i = 1; i < r->n; i++) {
		bool known = *r->conn[i].p.print, was = *r->conn[out].p.print;
		size_t a = of_its_kind(r, i), b = of_its_kind(r, out);

		if (known != was ? was : a != b && known ? a > b : r->conn[i].until < r->conn[out].until)
			out = i;
	}
	conn_drop(r, out);
}

static void welcome(struct receive *r)
{
	int net = accept4(r->listening, NULL, NULL, SOCK_CLOEXEC);
	struct err e = ERR_INIT;
	struct peer p = PEER_INIT;

	if (net < 0)
		return;
	if (r->n == CONNS)
		make_room(r);
	if (peer_accept(r->c, net, &p, &e) < 0) {
		tell(r, "%s", e.msg);
		return;
	}
	r->conn[r->n++] = (struct conn){.p = p, .until = clock_mono_ns() + SHAKE_NS};
}

/* Everything that has come within ms. Negative: this command is to end. */
static int turn(struct receive *r, int ms, struct err *e)
{
	struct pollfd p[CONNS + 3];
	size_t n = r->n;
	uint64_t now;

	p[0] = (struct pollfd){.fd = r->listening, .events = POLLIN};
	p[1] = (struct pollfd){.fd = r->c->cancel, .events = POLLIN};
	p[2] = (struct pollfd){.fd = r->now ? r->now->control.fd : -1, .events = POLLIN};
	for (size_t i = 0; i < n; i++)
		p[3 + i] = (struct pollfd){.fd = r->conn[i].p.fd, .events = POLLIN};
	if (poll(p, 3 + n, ms) < 0 && errno != EINTR)
		return err_sys(e, errno, "poll");
	now = clock_mono_ns();
	/* from the last on: dropping one puts the last in its place */
	for (size_t i = n; i-- > 0;)
		if (p[3 + i].revents)
			hear(r, i);
		else if (now > r->conn[i].until)
			conn_drop(r, i);
	if (r->now && p[2].revents && !r->now->failed.code)
		taking_hear(r->now);
	if (r->now && !r->now->failed.code)
		taking_bounds(r->now, r->o);
	if (p[0].revents)
		welcome(r);
	return ctx_check(r->c, e);
}

static int while_it_comes(void *arg, const struct qmigrate_now *now, struct err *e)
{
	struct receive *r = arg;
	int k = turn(r, 0, e);

	if (k == 0 && r->now->failed.code) {
		if (e)
			*e = r->now->failed;
		k = -r->now->failed.code;
	}
	return k;
}

/* The memory comes, and then the guest runs here; or nothing of it is left. */
static int take_in(struct receive *r, struct err *e)
{
	struct taking *t = r->now;
	int k = taking_memory(t, while_it_comes, r, e);

	/* the word that it is ours may be behind the last byte of its memory */
	while (k == 0 && !t->mine && !t->failed.code)
		k = turn(r, TURN_MS, e);
	if (k == 0 && t->failed.code) {
		*e = t->failed;
		k = -e->code;
	}
	return k == 0 ? taking_run(t, e) : k;
}

/* 1 = one has come, 0 = none has yet. */
static int session(struct receive *r, struct err *e)
{
	struct taking *t;
	int k = turn(r, r->now ? TURN_MS : 1000, e);

	t = r->now;
	if (t && k == 0 && !t->failed.code && !t->memory)
		return taking_watch(t), 0;
	if (!t)
		return k;
	if (k == 0)
		k = t->failed.code ? -t->failed.code : take_in(r, &t->failed);
	if (k < 0 && !t->failed.code && e)
		t->failed = *e;
	r->now = NULL;
	if (k == 0)
		tell(r, "VM %s runs here", t->v.uuid);
	else
		tell(r, "VM %s did not come: %s", t->v.uuid, t->failed.msg);
	taking_end(t, k == 0);
	k = k == 0 ? 1 : ctx_check(r->c, e);
	return k;
}

int vm_receive(struct ctx *c, int listening, const struct receive_opts *o, struct err *e)
{
	struct receive *r = xalloc(sizeof *r);
	int k;

	*r = (struct receive){.c = c, .listening = listening, .o = o};
	do
		k = session(r, e);
	while (k == 0 || (k == 1 && o->many));
	if (r->now)
		taking_end(r->now, false);
	while (r->n > 0)
		conn_drop(r, r->n - 1);
	free(r);
	return k < 0 ? k : 0;
}
