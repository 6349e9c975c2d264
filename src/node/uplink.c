/* SPDX-License-Identifier: MPL-2.0 */
#include "net/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "model/vm.h"
#include "node/uplink.h"

extern char **environ;

#define KIND "uplink"
#define WATCH_S 5 /* after a confirmation its watcher is there no longer than this */

/* ---- the object ---- */

static char *to_hex(const struct buf *b)
{
	char *out = xalloc(b->len * 2 + 1);

	for (size_t i = 0; i < b->len; i++)
		snprintf(out + i * 2, 3, "%02x", (unsigned char)b->p[i]);
	return out;
}

static int from_hex(const char *s, struct buf *out)
{
	unsigned char byte;

	for (; *s; s += 2) {
		if (!s[1] || sscanf(s, "%2hhx", &byte) != 1)
			return -EUCLEAN;
		buf_add(out, &byte, 1);
	}
	return 0;
}

/* until: seconds of CLOCK_BOOTTIME in this boot, 0: confirmed. */
static json_t *to_json(const struct ctx *c, const struct uplink *u, int64_t until)
{
	_free_ char *saved = to_hex(&u->saved);
	char mac[18];
	json_t *o;

	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", u->mac[0], u->mac[1], u->mac[2], u->mac[3], u->mac[4], u->mac[5]);
	o = json_pack("{s:I, s:I, s:s, s:s, s:b, s:s}", "id", (json_int_t)u->id, "mtu", (json_int_t)u->mtu, "device", u->device, "mac", mac, "host",
		      u->host, "saved", saved);
	if (o && until) {
		json_object_set_new(o, "until", json_integer(until));
		json_object_set_new(o, "boot", json_string(c->bootid));
	}
	return o;
}

static int from_json(const char *tag, const json_t *o, struct uplink *u, struct err *e)
{
	const char *mac = vm_str(o, "mac"), *device = vm_str(o, "device");

	*u = UPLINK_INIT;
	u->id = (uint32_t)vm_int(o, "id", 0);
	u->mtu = (uint32_t)vm_int(o, "mtu", 1500);
	u->host = vm_bool(o, "host", false);
	if (!mac || !device || strlen(device) >= sizeof u->device || u->id == 0 ||
	    sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &u->mac[0], &u->mac[1], &u->mac[2], &u->mac[3], &u->mac[4], &u->mac[5]) != 6 ||
	    from_hex(vm_str(o, "saved") ?: "", &u->saved) < 0)
		return err_set(e, EUCLEAN, "uplink of %s: what is kept of it can't be read", tag);
	strcpy(u->device, device);
	return 0;
}

static int keep(const struct ctx *c, struct state *st, const char *tag, const struct uplink *u, int64_t until, struct err *e)
{
	json_t *o = to_json(c, u, until);
	int r = o ? state_net_put(st, KIND, tag, o, e) : err_sys(e, ENOMEM, "uplink of %s", tag);

	json_decref(o);
	return r;
}

static int64_t boot_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/* Seconds that are left until it goes back: 0 = they are over, -1 = it is confirmed. */
static int64_t left(const struct ctx *c, const json_t *o)
{
	int64_t until = vm_int(o, "until", 0), now = boot_s();

	if (until == 0)
		return -1;
	return !str_eq(vm_str(o, "boot"), c->bootid) || until <= now ? 0 : until - now;
}

int uplink_show(struct state *st, const char *tag, char device[16], char mac[18])
{
	struct err none = ERR_INIT;
	json_t *o = NULL;

	if (!st || state_net_get(st, KIND, tag, &o, &none) < 0)
		return 0;
	snprintf(device, 16, "%s", vm_str(o, "device") ?: "-");
	snprintf(mac, 18, "%s", vm_str(o, "mac") ?: "-");
	json_decref(o);
	return 1;
}

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

/* Without a switch the kernel has given a physical device back already, by its name there: then there is only what it had to give it again. */
static int give_back(struct ctx *c, struct uplink *u, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(host_close) struct host h = HOST_INIT;
	unsigned lost = 0;
	int r = host_open(&h, e);

	if (r == 0)
		r = switch_open(c, false, &s, e);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = uplink_down(&s, h.rtnl, h.ns, u, &lost, e);
	if (r == 0 && lost)
		ctx_log(c, LOG_WARN, "%s: %u of its addresses and routes could not be given back", u->device, lost);
	return r;
}

/* ---- added ---- */

static int start_watch(const struct ctx *c, const char *tag, struct err *e)
{
	char *argv[] = {(char *)c->self, (char *)"--node", (char *)c->node.name, (char *)"uplink-watch", (char *)tag, NULL};
	posix_spawn_file_actions_t a;
	posix_spawnattr_t at;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&a);
	posix_spawnattr_init(&at);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&a, fd, "/dev/null", O_RDWR, 0);
	/* of no terminal and no session: it outlives the shell, and the command */
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID);
	r = posix_spawn(&pid, c->self, &a, &at, argv, environ);
	posix_spawn_file_actions_destroy(&a);
	posix_spawnattr_destroy(&at);
	return r ? err_sys(e, r, "start %s uplink-watch", c->self) : 0;
}

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
		r = keep(c, st, w->tag, u, until, e);
	}
	return state_end(st, r, e);
}

static int unrecord(struct state *st, const char *tag)
{
	struct err none = ERR_INIT;
	int r = state_begin(st, &none);

	if (r < 0)
		return r;
	r = state_net_delete(st, KIND, tag, &none);
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
	int r = state_net_each(st, KIND, taken_one, &t, e);

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
	int64_t until = w->confirm ? boot_s() + w->confirm : 0;
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
		r = start_watch(c, w->tag, e);
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
		r = state_net_get(*st, KIND, tag, o, e);
	return r < 0 ? r : from_json(tag, *o, u, e);
}

int uplink_remove(struct ctx *c, const char *tag, struct err *e)
{
	_clean_(uplink_done) struct uplink u = UPLINK_INIT;
	_clean_(state_close) struct state *st = NULL;
	struct err miss = ERR_INIT;
	json_t *o = NULL;
	int r = load(c, tag, &st, &o, &u, &miss);

	json_decref(o);
	if (r == 0)
		r = give_back(c, &u, &miss);
	if (r == 0)
		r = state_net_delete(st, KIND, tag, &miss);
	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == -ENOENT ? 0 : r;
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

/* Nobody confirmed it. The nic tag goes too, unless a VM has a NIC on it by now. */
static int expire(struct ctx *c, const char *tag, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	struct taken t = {.by = tag};
	int r = uplink_remove(c, tag, e);

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
	json_t *o = NULL;
	int r = switch_open(c, false, &s, e); /* its lock: not while it is being given back */

	if (r == 0)
		r = load(c, tag, &st, &o, &u, e);
	if (r == 0 && left(c, o) < 0)
		r = err_set(e, ESTALE, "the uplink of nic tag %s is confirmed already", tag);
	if (r == 0 && left(c, o) == 0)
		r = err_set(e, ETIME, "the time to confirm the uplink of nic tag %s is over: its device goes back to the host", tag);
	if (r == 0)
		r = keep(c, st, tag, &u, 0, e);
	json_decref(o);
	return r;
}

/* Seconds that are left, as left(); to read alone: a node that has gone meanwhile is not made again. */
static int look_left(struct ctx *c, const char *tag, int64_t *s, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	json_t *o = NULL;
	int r = state_open(c, STATE_READ, &st, e);

	if (r == 0)
		r = state_net_get(st, KIND, tag, &o, e);
	if (r == 0)
		*s = left(c, o);
	json_decref(o);
	return r;
}

/* Whoever has lost the host by this uplink has nobody else: what fails, as for a lock that another command has, is tried again. */
int uplink_watch(struct ctx *c, const char *tag, struct err *e)
{
	for (;;) {
		struct timespec until = {0};
		int64_t s = WATCH_S;
		int r;

		*e = ERR_INIT;
		r = look_left(c, tag, &s, e);
		if (r == 0 && s == 0) {
			r = expire(c, tag, e);
			s = WATCH_S;
			if (r == 0)
				return 0;
		}
		if (r == -ENOENT || s < 0)
			return 0;
		if (r < 0 && ctx_check(c, NULL) < 0)
			return r;
		until.tv_sec = boot_s() + (s < WATCH_S ? s : WATCH_S);
		while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
			;
	}
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
	int r = from_json(tag, o, &u, e);

	if (r < 0)
		return r;
	if (state_nictag_get(st, tag, &t, NULL) == -ENOENT) /* deleted, and cut off before its device was back */
		return uplink_remove(c, tag, e);
	if (left(c, o) == 0)
		return expire(c, tag, e);
	if (left(c, o) > 0) /* who watches it has it */
		return 0;
	r = switch_open(c, true, &s, e);
	if (r == 0)
		r = uplink_up(&s, h->rtnl, h->ns, &u, e);
	return r < 0 ? r : keep(c, st, tag, &u, 0, e);
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
		r = state_net_each(st, KIND, collect, &a, &miss);
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
		else if (r == 0 && (one = from_json(a.one[i].tag, a.one[i].o, &u, &miss)) == 0 && (one = give_back(c, &u, &miss)) == 0)
			one = keep(c, st, a.one[i].tag, &u, left(c, a.one[i].o) < 0 ? 0 : vm_int(a.one[i].o, "until", 0), &miss);
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
