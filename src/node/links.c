/* SPDX-License-Identifier: MPL-2.0 */
/* VNICs of the global zone: stored first, so that one that a killed command did not finish is finished by `cloister boot` or deleted. */
#include "node/links.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "model/vm.h"
#include "node/nics_in.h"

#define KIND "link"
#define MTU  1500

static const struct {
	const char *name;
	uint32_t flag;
} protections[] = {{"mac-nospoof", PORT_MAC_NOSPOOF}, {"restricted", PORT_RESTRICTED}, {"ip-nospoof", PORT_IP_NOSPOOF}, {"dhcp-nospoof", PORT_DHCP_NOSPOOF}};

static int from_object(struct state *st, const char *name, const json_t *o, struct nic *out, struct err *e)
{
	struct state_nictag t;
	const json_t *v;
	size_t i;
	int r = state_nictag_get(st, vm_str(o, "tag") ?: "", &t, e);

	if (r < 0)
		return err_add(e, "link %s", name);
	memset(out, 0, sizeof *out);
	out->v.sw = t.id << 12 | (uint32_t)vm_int(o, "vlan", 0);
	out->v.mtu = (uint32_t)vm_int(o, "mtu", MTU);
	out->v.number = LINK_VNIC;
	if (nic_mac(o, out->v.mac) < 0)
		return err_set(e, EINVAL, "link %s: no link address", name);
	snprintf(out->v.name, sizeof out->v.name, "%s", name);
	snprintf(out->v.port, sizeof out->v.port, "%s", vm_str(o, "port") ?: "");
	json_array_foreach(json_object_get(o, "protection"), i, v)
	{
		uint32_t flag = 0;

		for (size_t k = 0; k < ARRAY_LEN(protections); k++)
			if (str_eq(json_string_value(v), protections[k].name))
				flag = protections[k].flag;
		if (!flag)
			return err_set(e, EINVAL, "protection: %s is none of mac-nospoof, restricted, ip-nospoof, dhcp-nospoof", json_string_value(v) ?: "?");
		out->v.flags |= flag;
	}
	r = nic_parse_list(json_object_get(o, "allowed"), out->allowed, &out->v.nallowed, "allowed-ips", e);
	out->v.ips = out->ips;
	out->v.allowed = out->allowed;
	return r;
}

static int make(struct net_switch *s, const struct nic *n, struct err *e)
{
	_fd_ int home = ns_open(0, "net", e);
	int r = home < 0 ? home : vnic_add(s, &n->v, home, e);

	if (r == -EEXIST)
		return err_set(e, EEXIST, "link %s: there is an interface of that name", n->v.name);
	return r < 0 ? r : vnic_start(&n->v, home, e);
}

/* As of a VM that has this NIC. */
static int is_free(struct state *st, const char *tag, const char *mac, unsigned vlan, struct err *e)
{
	json_t *rec = json_pack("{s:s,s:[{s:s,s:s,s:i}]}", "uuid", "link", "nics", "nic_tag", tag, "mac", mac, "vlan_id", (int)vlan);
	int r = state_nics_free(st, rec, e);

	json_decref(rec);
	return r;
}

static int store_new(struct state *st, const char *name, json_t *o, struct err *e)
{
	json_t *was = NULL;
	uint64_t id;
	char port[16];
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	r = state_net_get(st, KIND, name, &was, NULL);
	json_decref(was);
	r = r == 0 ? err_set(e, EEXIST, "link %s already exists", name) : r == -ENOENT ? 0 : err_set(e, -r, "link %s: its object does not read", name);
	if (r == 0)
		r = state_next(st, "link", &id, e);
	if (r == 0) {
		snprintf(port, sizeof port, "l%u", (unsigned)id);
		json_object_set_new(o, "port", json_string(port));
		r = state_net_put(st, KIND, name, o, e);
	}
	return state_end(st, r, e);
}

int link_create(struct ctx *c, struct state *st, const char *name, const char *tag, const char *mac, unsigned vlan, unsigned mtu, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_free_ struct nic *n = xalloc(sizeof *n);
	_json_ json_t *o = NULL;
	char uuid[UUID_LEN + 1], random[18];
	struct state_nictag t;
	int r = state_nictag_get(st, tag, &t, e);

	if (r < 0)
		return r;
	if (mtu > t.mtu)
		return err_set(e, EINVAL, "mtu: %u is above that of nic tag %s, %u", mtu, tag, t.mtu);
	if (!mac) {
		uuid_make(uuid);
		snprintf(random, sizeof random, "02:08:20:%.2s:%.2s:%.2s", uuid, uuid + 2, uuid + 4);
	}
	r = is_free(st, tag, mac ?: random, vlan, e);
	if (r < 0)
		return r;
	o = json_pack("{s:s,s:s,s:i,s:i,s:b,s:[],s:[]}", "tag", tag, "mac", mac ?: random, "vlan", (int)vlan, "mtu",
		      (int)(mtu ? mtu : t.mtu < MTU ? t.mtu : MTU), "random", !mac, "protection", "allowed");
	r = store_new(st, name, o, e);
	if (r < 0)
		return r;
	r = from_object(st, name, o, n, e);
	if (r == 0)
		r = switch_open(c, true, &s, e);
	if (r == 0)
		r = make(&s, n, e);
	if (r < 0)
		state_net_delete(st, KIND, name, NULL);
	return r;
}

int link_delete(struct ctx *c, struct state *st, const char *name, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_json_ json_t *o = NULL;
	int r = state_net_get(st, KIND, name, &o, e);

	if (r < 0)
		return r == -ENOENT ? err_set(e, ENOENT, "link %s does not exist", name) : r;
	r = switch_open(c, false, &s, e);
	if (r == 0)
		r = vnic_remove(&s, vm_str(o, "port") ?: "", 0, e);
	return r < 0 && r != -ENOENT ? r : state_net_delete(st, KIND, name, e);
}

int link_change(struct ctx *c, struct state *st, const char *name, const json_t *value, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_free_ struct nic *n = xalloc(sizeof *n), *old = xalloc(sizeof *old);
	_json_ json_t *was = NULL;
	int r = state_net_get(st, KIND, name, &was, e), index = 0;

	if (r == 0)
		r = from_object(st, name, was, old, e);
	if (r == 0)
		r = from_object(st, name, value, n, e);
	if (r == 0)
		r = switch_open(c, true, &s, e);
	if (r < 0)
		return r;
	index = rtnl_index(s.rtnl, n->v.port, NULL);
	if (index > 0)
		r = vnic_change(&s, &n->v, (uint32_t)index, e);
	if (r == 0)
		r = state_net_put(st, KIND, name, value, e);
	if (r < 0 && index > 0)
		vnic_change(&s, &old->v, (uint32_t)index, NULL);
	return r;
}

struct all {
	struct ctx *c;
	struct state *st;
	struct net_switch s;
	bool opened;
	struct err e;
};

static int back(const char *name, const json_t *o, void *arg)
{
	_free_ struct nic *n = xalloc(sizeof *n);
	struct all *a = arg;
	struct sw_port p;
	int r = a->opened ? 0 : switch_open(a->c, true, &a->s, &a->e), index;

	if (r < 0)
		return r;
	a->opened = true;
	r = from_object(a->st, name, o, n, &a->e);
	index = rtnl_index(a->s.rtnl, n->v.port, NULL);
	if (r == 0 && index > 0 && vnic_port(&a->s, (uint32_t)index, &p) == 1)
		return 0;
	/* what a killed command has left of it, and of one whose interface somebody took away */
	if (r == 0)
		r = vnic_remove(&a->s, n->v.port, 0, &a->e);
	if (r == 0)
		r = make(&a->s, n, &a->e);
	if (r < 0)
		ctx_log(a->c, LOG_WARN, "link %s: %s", name, a->e.msg);
	return 0;
}

static int away(const char *name, const json_t *o, void *arg)
{
	struct all *a = arg;

	vnic_remove(&a->s, vm_str(o, "port") ?: "", 0, NULL);
	return 0;
}

void links_back(struct ctx *c, struct state *st)
{
	struct all a = {.c = c, .st = st, .s = NET_SWITCH_INIT, .e = ERR_INIT};

	if (state_net_each(st, KIND, back, &a, &a.e) < 0)
		ctx_log(c, LOG_WARN, "%s", a.e.msg);
	switch_close(&a.s);
}

void links_away(struct ctx *c, struct state *st)
{
	struct all a = {.c = c, .st = st, .s = NET_SWITCH_INIT, .e = ERR_INIT};

	if (switch_open(c, false, &a.s, NULL) == 0)
		state_net_each(st, KIND, away, &a, NULL);
	switch_close(&a.s);
}
