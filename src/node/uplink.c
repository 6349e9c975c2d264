/* SPDX-License-Identifier: MPL-2.0 */
#include "node/uplink_in.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "model/vm.h"

/* ---- the host's side ---- */

struct host {
	int ns, rtnl;
};
#define HOST_INIT ((struct host){-1, -1})

static void host_close(struct host *h)
{
	own_fd(&h->rtnl);
	own_fd(&h->ns);
}

static int host_open(struct host *h, struct err *e)
{
	h->ns = ns_open(0, "net", e);
	if (h->ns < 0)
		return h->ns;
	h->rtnl = rtnl_open(e);
	return h->rtnl < 0 ? h->rtnl : 0;
}

/*
 * Without a switch (s NULL) the kernel has given a physical device back already, by its name there: then there is only what it had to give it
 * again.
 */
static int give_back(struct ctx *c, struct net_switch *s, struct uplink *u, struct err *e)
{
	_clean_(host_close) struct host h = HOST_INIT;
	unsigned lost = 0;
	int r = s ? host_open(&h, e) : 0;

	if (r == 0 && s)
		r = uplink_down(s, h.rtnl, h.ns, u, &lost, e);
	if (r == 0 && lost)
		ctx_log(c, LOG_WARN, "%s: %u of its addresses and routes could not be given back", u->device, lost);
	return r;
}

/* Its lock, where there is one: 1; 0: there is none. */
static int lock_switch(struct ctx *c, struct net_switch *s, struct err *e)
{
	struct err miss = ERR_INIT;
	int r = switch_open(c, false, s, &miss);

	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* ---- added ---- */

struct taken {
	const char *device, *by;
	char name[STATE_TAG_NAME];
};

static int taken_one(const char *name, const json_t *o, void *arg)
{
	struct taken *t = arg;

	if (str_eq(vm_str(o, "device"), t->device) || str_eq(vm_str(o, "mac"), t->device))
		snprintf(t->name, sizeof t->name, "%s", name);
	return 0;
}

/* Its tag and object, in one transaction. */
static int record(struct ctx *c, struct state *st, const struct uplink_wish *w, struct uplink *u, int64_t until, struct err *e)
{
	struct state_nictag t;
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	r = state_nictag_add(st, w->tag, false, u->mtu, e);
	if (r == 0)
		r = state_nictag_get(st, w->tag, &t, e);
	if (r == 0) {
		u->id = t.id;
		r = uplink_keep(c, st, w->tag, u, until, e);
	}
	return state_end(st, r, e);
}

static int unrecord(struct state *st, const char *tag)
{
	struct err none = ERR_INIT;
	int r = state_begin(st, &none);

	if (r < 0)
		return r;
	r = state_net_delete(st, UPLINK_KIND, tag, &none);
	if (r == 0)
		r = state_nictag_delete(st, tag, &none);
	return state_end(st, r == -ENOENT ? 0 : r, &none);
}

/* What the command looks at before it changes anything. */
static int inspect(struct state *st, const struct host *h, const struct uplink_wish *w, struct uplink *u, struct err *e)
{
	struct taken t = {.device = w->device};
	struct netdev d;
	bool def = false;
	int r = state_net_each(st, UPLINK_KIND, taken_one, &t, e);

	if (r == 0 && t.name[0])
		return err_set(e, EBUSY, "%s is the uplink of nic tag %s", w->device, t.name);
	if (r == 0)
		r = uplink_find(h->rtnl, w->device, &d, e);
	if (r == 0)
		r = netdev_save(h->rtnl, d.index, &u->saved, &def, e);
	if (r < 0)
		return r;
	if (w->mtu > d.mtu)
		return err_set(e, EINVAL, "%s has an MTU of %u: a nic tag on it can't have %u", d.name, d.mtu, w->mtu);
	u->mtu = w->mtu ?: d.mtu;
	u->host = w->host;
	memcpy(u->mac, d.mac, 6);
	memcpy(u->device, d.name, sizeof u->device);
	if (def && !w->confirm) {
		err_set(e, EBUSY, "this host's default route goes over %s", d.name);
		return err_hint(e, "--confirm 60 gives it back after 60 seconds unless `nictagadm confirm %s` is run by then; --host keeps the host's addresses.",
				w->tag);
	}
	return 0;
}

int uplink_add(struct ctx *c, const struct uplink_wish *w, struct err *e)
{
	_clean_(uplink_done) struct uplink u = UPLINK_INIT;
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	_clean_(host_close) struct host h = HOST_INIT;
	int64_t until = w->confirm ? uplink_now() + w->confirm : 0;
	unsigned lost;
	int r = host_open(&h, e);

	if (r == 0)
		r = state_open(c, STATE_WRITE, &st, e);
	if (r == 0)
		r = inspect(st, &h, w, &u, e);
	if (r == 0)
		r = record(c, st, w, &u, until, e);
	if (r < 0)
		return r;
	/* who gives it back lives before it goes */
	if (until)
		r = uplink_watch_start(c, w->tag, e);
	if (r == 0)
		r = switch_open(c, true, &s, e);
	if (r == 0) {
		r = uplink_up(&s, h.rtnl, h.ns, &u, e);
		if (r < 0)
			uplink_down(&s, h.rtnl, h.ns, &u, &lost, NULL);
	}
	if (r < 0)
		unrecord(st, w->tag);
	return r;
}

/* ---- and away ---- */

static int load(struct ctx *c, const char *tag, struct state **st, json_t **o, struct uplink *u, struct err *e)
{
	int r = state_open(c, STATE_WRITE, st, e);

	if (r == 0)
		r = state_net_get(*st, UPLINK_KIND, tag, o, e);
	return r < 0 ? r : uplink_from(tag, *o, u, e);
}

/* expired: if it is not confirmed, else -ESTALE; asked with the lock that a confirmation has. */
static int remove_uplink(struct ctx *c, const char *tag, bool expired, struct err *e)
{
	_clean_(uplink_done) struct uplink u = UPLINK_INIT;
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	struct err miss = ERR_INIT;
	json_t *o = NULL;
	int have = lock_switch(c, &s, e), r;

	if (have < 0)
		return have;
	r = load(c, tag, &st, &o, &u, &miss);
	if (r == 0 && expired && uplink_left(c, o) != 0)
		r = err_set(&miss, ESTALE, "the uplink of nic tag %s was confirmed", tag);
	json_decref(o);
	if (r == 0)
		r = give_back(c, have ? &s : NULL, &u, &miss);
	if (r == 0)
		r = state_net_delete(st, UPLINK_KIND, tag, &miss);
	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == -ENOENT ? 0 : r;
}

int uplink_remove(struct ctx *c, const char *tag, struct err *e)
{
	return remove_uplink(c, tag, false, e);
}

static int is_user(const struct vm_row *row, void *arg)
{
	const struct taken *t = arg;
	json_t *rec = row->record && strstr(row->record, "\"nic_tag\"") ? json_loads(row->record, 0, NULL) : NULL, *n;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, n)
		if (str_eq(vm_str(n, "nic_tag"), t->by))
			r = -EBUSY;
	json_decref(rec);
	return r;
}

int uplink_expire(struct ctx *c, const char *tag, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	struct taken t = {.by = tag};
	int r = remove_uplink(c, tag, true, e);

	if (r == -ESTALE) /* in the last moment */
		return 0;
	if (r == 0)
		r = state_open(c, STATE_WRITE, &st, e);
	if (r == 0 && state_vm_each(st, STATE_RECORD, is_user, &t, NULL) == 0)
		r = state_nictag_delete(st, tag, NULL) == -ENOENT ? 0 : r;
	if (r == 0)
		ctx_log(c, LOG_INFO, "uplink of %s: not confirmed in time, the device is the host's again", tag);
	return r;
}

int uplink_confirm(struct ctx *c, const char *tag, struct err *e)
{
	_clean_(uplink_done) struct uplink u = UPLINK_INIT;
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	struct state_nictag t;
	json_t *o = NULL;
	int r = lock_switch(c, &s, e); /* not while it is being given back */

	if (r >= 0)
		r = load(c, tag, &st, &o, &u, e);
	if (r == -ENOENT && st && state_nictag_get(st, tag, &t, NULL) == 0)
		r = err_set(e, EINVAL, "nic tag %s has no uplink: there is nothing to confirm", tag);
	if (r == 0 && uplink_left(c, o) < 0)
		r = err_set(e, ESTALE, "the uplink of nic tag %s is confirmed already", tag);
	if (r == 0 && uplink_left(c, o) == 0)
		r = err_set(e, ETIME, "the time to confirm the uplink of nic tag %s is over: its device goes back to the host", tag);
	if (r == 0)
		r = uplink_keep(c, st, tag, &u, 0, e);
	json_decref(o);
	return r;
}

/* ---- boot and shutdown ---- */

struct all {
	struct {
		char tag[STATE_TAG_NAME];
		json_t *o;
	} *one;
	size_t n;
};

static int collect(const char *name, const json_t *o, void *arg)
{
	struct all *a = arg;

	a->one = xrealloc(a->one, (a->n + 1) * sizeof *a->one);
	snprintf(a->one[a->n].tag, sizeof a->one[a->n].tag, "%s", name);
	a->one[a->n++].o = json_deep_copy(o);
	return 0;
}

static int one_up(struct ctx *c, struct state *st, const struct host *h, const char *tag, const json_t *o, struct err *e)
{
	_clean_(uplink_done) struct uplink u = UPLINK_INIT;
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct state_nictag t;
	int r = uplink_from(tag, o, &u, e);

	if (r < 0)
		return r;
	if (state_nictag_get(st, tag, &t, NULL) == -ENOENT) /* deleted, and cut off before its device was back */
		return uplink_remove(c, tag, e);
	if (uplink_left(c, o) == 0)
		return uplink_expire(c, tag, e);
	if (uplink_left(c, o) > 0) /* who watches it has it */
		return 0;
	r = switch_open(c, true, &s, e);
	if (r == 0)
		r = uplink_up(&s, h->rtnl, h->ns, &u, e);
	return r < 0 ? r : uplink_keep(c, st, tag, &u, 0, e);
}

static int back_for_now(struct ctx *c, struct uplink *u, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	int have = lock_switch(c, &s, e);

	return have < 0 ? have : give_back(c, have ? &s : NULL, u, e);
}

static int each_uplink(struct ctx *c, bool up, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	_clean_(host_close) struct host h = HOST_INIT;
	struct err miss = ERR_INIT;
	struct all a = {0};
	int r = state_open(c, STATE_READ, &st, &miss), bad = 0;

	if (r == -ENOENT) /* a node without a database has none */
		return 0;
	if (r == 0)
		r = state_net_each(st, UPLINK_KIND, collect, &a, &miss);
	if (r == 0 && a.n) {
		state_close(&st);
		r = state_open(c, STATE_WRITE, &st, &miss);
	}
	if (r == 0 && a.n)
		r = host_open(&h, &miss);
	for (size_t i = 0; i < a.n; i++) {
		_clean_(uplink_done) struct uplink u = UPLINK_INIT;
		int one = r;

		if (r == 0 && up)
			one = one_up(c, st, &h, a.one[i].tag, a.one[i].o, &miss);
		else if (r == 0 && (one = uplink_from(a.one[i].tag, a.one[i].o, &u, &miss)) == 0 && (one = back_for_now(c, &u, &miss)) == 0)
			one = uplink_keep(c, st, a.one[i].tag, &u, uplink_left(c, a.one[i].o) < 0 ? 0 : vm_int(a.one[i].o, "until", 0), &miss);
		if (one < 0) {
			bad++;
			ctx_log(c, LOG_WARN, "nic tag %s: %s", a.one[i].tag, miss.msg);
		}
		json_decref(a.one[i].o);
	}
	free(a.one);
	if (r < 0 && e)
		*e = miss;
	return r < 0 ? r : bad;
}

int uplinks_up(struct ctx *c, struct err *e)
{
	return each_uplink(c, true, e);
}

int uplinks_down(struct ctx *c, struct err *e)
{
	return each_uplink(c, false, e);
}
