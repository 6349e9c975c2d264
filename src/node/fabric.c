/* SPDX-License-Identifier: MPL-2.0 */
#include "node/fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/netdev.h"
#include "kern/rtnl.h"
#include "model/vm.h"

#define KIND "fabric"
#define HEAD4 50 /* Ethernet, IPv4, UDP and VXLAN in front of the frame's own payload */
#define HEAD6 70
#define MTU_MIN 576
#define MTU_MAX 9000

/* ---- the object ---- */

static json_t *ip_json(const struct net_ip *a)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(a->family, a->ip, text, sizeof text);
	return json_string(text);
}

static json_t *to_json(const struct fabric *f)
{
	json_t *o = json_pack("{s:I, s:I, s:I, s:o, s:[], s:[]}", "id", (json_int_t)f->id, "vni", (json_int_t)f->vni, "mtu", (json_int_t)f->mtu, "local",
			      ip_json(&f->local), "ends", "hosts");

	for (size_t i = 0; i < f->nends; i++)
		json_array_append_new(json_object_get(o, "ends"), ip_json(&f->ends[i]));
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fabric_host *h = &f->hosts[i];
		char mac[18];

		snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", h->mac[0], h->mac[1], h->mac[2], h->mac[3], h->mac[4], h->mac[5]);
		json_array_append_new(json_object_get(o, "hosts"), json_pack("[s, o, I]", mac, ip_json(&h->ip), (json_int_t)h->end));
	}
	return o;
}

static int host_of(const json_t *o, const struct fabric *f, struct fabric_host *h)
{
	const char *mac = json_string_value(json_array_get(o, 0)), *ip = json_string_value(json_array_get(o, 1));
	json_int_t end = json_integer_value(json_array_get(o, 2));

	if (!mac || !ip || end < 0 || (size_t)end >= f->nends || fabric_ip(ip, &h->ip) < 0 ||
	    sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &h->mac[0], &h->mac[1], &h->mac[2], &h->mac[3], &h->mac[4], &h->mac[5]) != 6)
		return -EUCLEAN;
	h->end = (uint32_t)end;
	return 0;
}

static int from_json(const char *tag, const json_t *o, struct fabric *f, struct err *e)
{
	json_t *list = json_object_get(o, "hosts"), *one;
	size_t i;
	int r;

	*f = (struct fabric){.id = (uint32_t)vm_int(o, "id", 0), .vni = (uint32_t)vm_int(o, "vni", 0), .mtu = (uint32_t)vm_int(o, "mtu", 0)};
	r = fabric_ip(vm_str(o, "local") ?: "", &f->local);
	json_array_foreach(json_object_get(o, "ends"), i, one)
	{
		struct net_ip ip;

		if (r >= 0)
			r = fabric_ip(json_string_value(one) ?: "", &ip);
		if (r >= 0)
			r = fabric_end(f, &ip, NULL);
	}
	if (r >= 0)
		f->hosts = xalloc((json_array_size(list) + 1) * sizeof *f->hosts);
	json_array_foreach(list, i, one)
	{
		if (r >= 0)
			r = host_of(one, f, &f->hosts[i]);
		if (r >= 0)
			f->nhosts++;
	}
	return r < 0 || f->id == 0 ? err_set(e, EUCLEAN, "fabric %s: what is kept of it can't be read", tag) : 0;
}

int fabric_is(struct state *st, const char *tag)
{
	struct err none = ERR_INIT;
	json_t *o = NULL;
	int r = st ? state_net_get(st, KIND, tag, &o, &none) : -ENOENT;

	json_decref(o);
	return r == 0;
}

struct walk {
	int (*each)(const char *, const struct fabric *, void *);
	void *arg;
	struct err *e;
};

static int walk_one(const char *tag, const json_t *o, void *arg)
{
	_clean_(fabric_done) struct fabric f = {.id = 0};
	struct walk *w = arg;
	int r = from_json(tag, o, &f, w->e);

	return r < 0 ? r : w->each(tag, &f, w->arg);
}

int fabric_each(struct ctx *c, int (*each)(const char *, const struct fabric *, void *), void *arg, struct err *e)
{
	_clean_(state_close) struct state *st = NULL;
	struct walk w = {each, arg, e};
	struct err miss = ERR_INIT;
	int r = state_open(c, STATE_READ, &st, &miss);

	if (r == -ENOENT) /* a node without a database has none */
		return 0;
	if (r < 0 && e)
		*e = miss;
	return r < 0 ? r : state_net_each(st, KIND, walk_one, &w, e);
}

/* ---- made ---- */

static int check_mtu(int host, struct fabric *f, struct err *e)
{
	uint32_t head = f->local.family == AF_INET ? HEAD4 : HEAD6, most = MTU_MAX;
	char text[INET6_ADDRSTRLEN] = "", narrow[INET6_ADDRSTRLEN] = "";

	for (size_t i = 0; i < f->nends; i++) {
		uint32_t mtu;
		int r;

		inet_ntop(f->ends[i].family, f->ends[i].ip, text, sizeof text);
		r = netdev_path_mtu(host, f->local.family, f->ends[i].ip, f->local.ip, &mtu, e);
		if (r < 0) {
			err_add(e, "end %s", text);
			return err_hint(e, "local has to be an address of this host, and there has to be a route to each end.");
		}
		if (mtu < head || mtu - head < most) {
			most = mtu < head ? 0 : mtu - head;
			memcpy(narrow, text, sizeof narrow);
		}
	}
	if (most < MTU_MIN || f->mtu > most) {
		err_set(e, EMSGSIZE, "an MTU of %u is too much: the way to %s carries %u bytes, of which a tunnel needs %u", f->mtu ?: MTU_MIN, narrow, most + head, head);
		return err_hint(e, "The most that it can have is %u; or give the devices between the hosts a larger one.", most);
	}
	f->mtu = f->mtu ?: most;
	return 0;
}

static int same_vni(const char *tag, const struct fabric *f, void *arg)
{
	return f->vni == *(const uint32_t *)arg ? -EEXIST : 0;
}

static int record(struct state *st, const char *tag, struct fabric *f, struct err *e)
{
	struct state_nictag t;
	json_t *o = NULL;
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	r = state_nictag_add(st, tag, false, f->mtu, e);
	if (r == 0)
		r = state_nictag_get(st, tag, &t, e);
	if (r == 0) {
		f->id = t.id;
		o = to_json(f);
		r = state_net_put(st, KIND, tag, o, e);
		json_decref(o);
	}
	return state_end(st, r, e);
}

static int unrecord(struct state *st, const char *tag, struct err *e)
{
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	r = state_net_delete(st, KIND, tag, e);
	if (r == 0)
		r = state_nictag_delete(st, tag, e);
	return state_end(st, r == -ENOENT ? 0 : r, e);
}

static int count(const char *tag, const struct fabric *f, void *arg)
{
	++*(unsigned *)arg;
	return 0;
}

static int take_down(struct ctx *c, const struct fabric *f, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	unsigned n = 0;
	int r = fabric_each(c, count, &n, e);

	if (r == 0)
		r = switch_open(c, false, &s, e);
	if (r == 0)
		r = fabric_down(&s, f, n <= 1, e);
	return r == -ENOENT ? 0 : r;
}

int fabric_add(struct ctx *c, const char *tag, struct fabric *f, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	_fd_ int host = rtnl_open(e);
	int r = host < 0 ? host : state_open(c, STATE_WRITE, &st, e);

	if (r == 0)
		r = check_mtu(host, f, e);
	if (r == 0 && fabric_each(c, same_vni, &f->vni, NULL) == -EEXIST)
		r = err_set(e, EEXIST, "another fabric has vni %u", f->vni);
	if (r == 0)
		r = record(st, tag, f, e);
	if (r < 0)
		return err_add(e, "fabric %s", tag);
	r = switch_open(c, true, &s, e);
	if (r == 0)
		r = fabric_up(&s, host, f, e);
	if (r == 0)
		return 0;
	switch_close(&s);
	s = NET_SWITCH_INIT;
	take_down(c, f, NULL);
	unrecord(st, tag, NULL);
	return err_add(e, "fabric %s", tag);
}

/* ---- and away ---- */

static int is_user(const struct vm_row *row, void *arg)
{
	json_t *rec = row->record && strstr(row->record, "\"nic_tag\"") ? json_loads(row->record, 0, NULL) : NULL, *n;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, n)
		if (str_eq(vm_str(n, "nic_tag"), arg))
			r = -EBUSY;
	json_decref(rec);
	return r;
}

static int is_on(const char *name, const json_t *o, void *arg)
{
	return str_eq(vm_str(o, "tag"), arg) ? -EBUSY : 0;
}

int fabric_delete(struct ctx *c, const char *tag, struct err *e)
{
	_clean_(fabric_done) struct fabric f = {.id = 0};
	_clean_(state_close) struct state *st = NULL;
	json_t *o = NULL;
	int r = state_open(c, STATE_WRITE, &st, e);

	if (r == 0)
		r = state_net_get(st, KIND, tag, &o, e);
	if (r == 0)
		r = from_json(tag, o, &f, e);
	if (r == 0 && state_vm_each(st, STATE_RECORD, is_user, (void *)tag, NULL) < 0)
		r = err_set(e, EBUSY, "fabric %s is in use: `nictagadm vms %s` lists the VMs", tag, tag);
	if (r == 0 && state_net_each(st, "link", is_on, (void *)tag, NULL) < 0)
		r = err_set(e, EBUSY, "fabric %s is in use by a link: `dladm delete-vnic` takes that away", tag);
	if (r == 0 && state_net_each(st, "switch", is_on, (void *)tag, NULL) < 0)
		r = err_set(e, EBUSY, "fabric %s: its switch has settings: `cloister net unset %s` takes them away", tag, tag);
	if (r == 0)
		r = take_down(c, &f, e);
	if (r == 0)
		r = unrecord(st, tag, e);
	json_decref(o);
	return r;
}

/* ---- boot and shutdown ---- */

struct bring {
	struct ctx *c;
	bool up;
	int host, bad;
};

static int bring_one(const char *tag, const struct fabric *f, void *arg)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct bring *b = arg;
	struct err e = ERR_INIT;
	int r = switch_open(b->c, b->up, &s, &e);

	if (r == 0)
		r = b->up ? fabric_up(&s, b->host, f, &e) : fabric_down(&s, f, true, &e);
	if (r < 0 && (b->up || r != -ENOENT)) {
		b->bad++;
		ctx_log(b->c, LOG_WARN, "fabric %s: %s", tag, e.msg);
	}
	return 0;
}

int fabrics_up(struct ctx *c, struct err *e)
{
	_fd_ int host = rtnl_open(e);
	struct bring b = {c, true, host, 0};
	int r = host < 0 ? host : fabric_each(c, bring_one, &b, e);

	return r < 0 ? r : b.bad;
}

int fabrics_down(struct ctx *c, struct err *e)
{
	struct bring b = {c, false, -1, 0};
	int r = fabric_each(c, bring_one, &b, e);

	return r < 0 ? r : b.bad;
}
