/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The NICs of a running zone. What a zone may send is the switch's to judge, and changes in one write; what it sees inside (addresses,
 * routes) is told to its kernel afterwards, and a zone that has meddled there is only told of, never waited for or trusted.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "kern/ns.h"
#include "kern/pidfd.h"
#include "kern/rtnl.h"
#include "model/vm.h"
#include "net/fw.h"
#include "node/addr.h"
#include "node/flow.h"
#include "node/lease.h"
#include "node/nics_live_in.h"
#include "zone/usage_net.h"

static const json_t *by_mac(const json_t *list, const char *mac)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, "mac"), mac))
			return o;
	return NULL;
}

/* ---- one NIC ---- */

static void told(struct live *l, const char *what, const struct err *e)
{
	ctx_log(l->v->c, LOG_WARN, "VM %s: %s: %s; at its next boot it is as its record says", l->v->uuid, what, e->msg);
}

static int slot_free(const struct live *l)
{
	uint32_t used = 0;

	for (size_t i = 0; i < l->n; i++)
		used |= 1u << (l->port[i].p.vnic & (NICS_MAX - 1));
	return ~used ? __builtin_ctz(~used) : -1;
}

static int away(struct live *l, const json_t *o, struct err *e);

static int add(struct live *l, const json_t *o, struct err *e)
{
	_free_ struct nic *n = xalloc(sizeof *n);
	int r = nic_from_record(l->v->st, o, n, e), slot = slot_free(l), tap = -1;
	struct live_port *p = r < 0 ? NULL : live_port(l, n->v.mac);

	if (r < 0)
		return r;
	/* an undo may find one that was never taken away, or half; a command that was killed has left one with other rights, or elsewhere */
	if (p && p->there && !p->counted && p->p.sw == n->v.sw) {
		n->v.flags |= l->firewall | l->firewall_new;
		r = vnic_change(&l->s, &n->v, p->ifindex, e);
		return r < 0 ? r : nic_shape(l->v->st, &l->s, l->v->uuid, o, p->ifindex, e);
	}
	if (p)
		r = away(l, o, e);
	if (r < 0)
		return r;
	if (slot < 0 || l->n == NICS_MAX)
		return err_set(e, ENOSPC, "nics: a zone has at most %d", NICS_MAX);
	n->v.number = (uint32_t)l->v->run.zoneid << 5 | (uint32_t)slot;
	/* with a ceiling to come it is closed until that is there: the zone runs, and may have it up before us */
	n->v.flags |= l->firewall_new | (vm_int(o, "maxbw", 0) ? PORT_SHAPED : 0);
	snprintf(n->v.port, sizeof n->v.port, "z%un%u", (unsigned)l->v->run.zoneid, (unsigned)slot);
	r = nic_router(l->v, &l->s, o, n, e);
	if (r == 0)
		r = nics_list_add(l->v->c, l->v->uuid, n->v.port, 0, e);
	if (r == 0)
		r = l->machine ? vnic_add_tap(&l->s, &n->v, &tap, e) : vnic_add(&l->s, &n->v, l->ns, e);
	if (r == -EEXIST && !l->machine) {
		err_set(e, EEXIST, "nics: the zone has an interface %s of its own", n->v.name);
		return err_hint(e, "Give this NIC another `interface`.");
	}
	if (r < 0)
		return r;
	if (l->machine)
		plug_add(&l->plug, o, n->v.mtu, tap);
	p = &l->port[l->n++];
	*p = (struct live_port){.ifindex = (uint32_t)r, .there = true};
	snprintf(p->name, sizeof p->name, "%s", n->v.port);
	r = vnic_port(&l->s, p->ifindex, &p->p);
	if (r >= 0)
		r = nics_list_add(l->v->c, l->v->uuid, p->name, (int)p->ifindex, e);
	if (r == 0)
		r = nic_shape(l->v->st, &l->s, l->v->uuid, o, p->ifindex, e);
	if (r == 0 && !l->machine)
		r = vnic_inside(&l->s, p->ifindex, l->rtnl, e);
	if (r > 0)
		r = vnic_set(l->rtnl, r, &n->v, true, e);
	if (r == 0)
		r = vnic_announce(&l->s, &n->v, NULL, p->ifindex, e);
	return r;
}

/* What it has carried joins the zone's sum, in one write and after the last frame: accounting goes on from that. */
static int count_up(struct live *l, struct live_port *p, struct err *e)
{
	_free_ char *net = xprintf("%s/net", l->v->c->node.run);
	uint64_t in, out;

	if (p->counted)
		return 0;
	if (p->there)
		rtnl_up(l->s.rtnl, (int)p->ifindex, false, NULL);
	if (usage_net_port(net, p->ifindex, &in, &out) < 0)
		return 0;
	l->gone[0] += in;
	l->gone[1] += out;
	p->counted = true;
	return live_save(l, e);
}

/* Its MAC is enough: its tag may be gone. */
static int away(struct live *l, const json_t *o, struct err *e)
{
	uint8_t mac[6] = {0};
	struct live_port *p = nic_mac(o, mac) < 0 ? NULL : live_port(l, mac);
	int r;

	if (!p)
		return 0;
	r = count_up(l, p, e);
	if (r == 0)
		r = vnic_remove(&l->s, p->name, p->ifindex, e);
	if (r < 0)
		return r;
	memmove(p, p + 1, (size_t)(l->port + --l->n - p) * sizeof *p);
	return live_save(l, e);
}

/* inside: 0 = the switch alone, 1 = what goes from the zone, 2 = what comes there. */
static int alter(struct live *l, const json_t *was, const json_t *o, int inside, struct err *e)
{
	_free_ struct nic *old = xalloc(sizeof *old), *n = xalloc(sizeof *n);
	struct err why = ERR_INIT;
	struct live_port *p;
	int r = nic_from_record(l->v->st, was, old, e), index;

	if (r == 0)
		r = nic_from_record(l->v->st, o, n, e);
	if (r < 0)
		return r;
	p = live_port(l, n->v.mac);
	if (!p || !p->there) {
		if (!inside)
			ctx_log(l->v->c, LOG_WARN, "VM %s: the zone has taken its interface %s away: it comes back at its next boot", l->v->uuid, n->v.name);
		return 0;
	}
	if (!inside) {
		n->v.flags |= l->firewall;
		r = vnic_change(&l->s, &n->v, p->ifindex, e);
		if (r == 0)
			r = nic_shape(l->v->st, &l->s, l->v->uuid, o, p->ifindex, e);
		if (r == 0)
			r = vnic_announce(&l->s, &n->v, &old->v, p->ifindex, e);
		return r;
	}
	if (l->machine) /* its guest's own business */
		return 0;
	index = vnic_inside(&l->s, p->ifindex, l->rtnl, &why);
	r = index < 0 ? index : inside == 1 ? vnic_unset(l->rtnl, index, &old->v, &n->v, &why) : vnic_set(l->rtnl, index, &n->v, false, &why);
	/* the switch enforces the new record whatever the zone has done to its own side */
	if (r < 0 && inside == 2)
		told(l, n->v.name, &why);
	return 0;
}

/* ---- all ---- */

static bool name_wanted(const json_t *from, const json_t *to, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(to, i, o)
		if (!by_mac(from, vm_str(o, "mac")) && str_eq(vm_str(o, "interface"), name))
			return true;
	return false;
}

/* Last to first. early: those whose name another one is to have. */
static int all_away(struct live *l, const json_t *from, const json_t *to, bool early, struct err *e)
{
	int r = 0;

	for (size_t i = json_array_size(from); r == 0 && i-- > 0;) {
		const json_t *o = json_array_get(from, i);

		if (!by_mac(to, vm_str(o, "mac")) && name_wanted(from, to, vm_str(o, "interface")) == early)
			r = away(l, o, e);
	}
	return r;
}

static int all_changed(struct live *l, const json_t *from, const json_t *to, int inside, struct err *e)
{
	const json_t *o, *was;
	size_t i;
	int r = 0;

	json_array_foreach(to, i, o)
	{
		was = by_mac(from, vm_str(o, "mac"));
		/* a default route may have gone with another NIC */
		if (r == 0 && (inside == 2 || was) && !(was && inside < 2 && json_equal((json_t *)was, (json_t *)o)))
			r = alter(l, was ? was : o, o, inside, e);
	}
	return r;
}

/* The zone's rules are for all its ports; where they are about to come, a new one is closed until they are there. */
static int firewalled(struct live *l, const json_t *from, const json_t *to, struct err *e)
{
	int on = net_fw_status(&l->s, (uint32_t)l->v->run.zoneid, e);

	l->firewall = on == 1 ? PORT_FIREWALL : 0;
	l->firewall_new = vm_bool(to, "firewall_enabled", false) && (on == 1 || !vm_bool(from, "firewall_enabled", false) || l->n == 0) ? PORT_FIREWALL : 0;
	if (vm_bool(to, "log_drops", false))
		l->firewall_new |= PORT_LOG;
	return on < 0 ? on : 0;
}

static bool has_mac(const json_t *list, const uint8_t mac[6])
{
	uint8_t m[6];
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (nic_mac(o, m) == 0 && memcmp(m, mac, 6) == 0)
			return true;
	return false;
}

/* What a command that was killed has made for a NIC that no record has. */
static int strays_away(struct live *l, const json_t *from, const json_t *to, struct err *e)
{
	int r = 0;

	for (size_t i = l->n; r == 0 && i-- > 0;) {
		const uint8_t *m = l->port[i].p.mac;
		_json_ json_t *o = NULL;

		if (has_mac(from, m) || has_mac(to, m))
			continue;
		o = json_pack("{s:o}", "mac", json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]));
		r = away(l, o, e);
	}
	return r;
}

/* from and to: as far as they hold before the next boot. */
static int change(struct live *l, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *a = json_object_get(from, "nics"), *b = json_object_get(to, "nics"), *o;
	size_t i;
	int r = addr_take(l->v->st, l->v->uuid, to, e);

	if (r == 0)
		r = firewalled(l, from, to, e);
	if (r == 0)
		r = strays_away(l, a, b, e);
	if (r == 0)
		r = all_away(l, a, b, true, e);
	json_array_foreach(b, i, o)
		if (r == 0 && !by_mac(a, vm_str(o, "mac")))
			r = add(l, o, e);
	if (r == 0)
		r = all_changed(l, a, b, 0, e);
	if (r == 0)
		r = all_away(l, a, b, false, e);
	if (r == 0)
		r = all_changed(l, a, b, 1, e);
	return r < 0 ? r : all_changed(l, a, b, 2, e);
}

/* What guests are told, also where something else of the record has changed: name, resolvers. */
static int leases(struct live *l, const json_t *rec, struct err *e)
{
	_free_ struct nic *n = xalloc(sizeof *n);
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		struct live_port *p;

		r = nic_from_record(l->v->st, o, n, e);
		p = r < 0 ? NULL : live_port(l, n->v.mac);
		if (p && p->there)
			r = lease_put(&l->s, rec, o, n->v.mtu, p->ifindex, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	return x == y || json_equal((json_t *)x, (json_t *)y);
}

int nics_live(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	_clean_(live_close) struct live l = LIVE_INIT(v);
	const json_t *a = json_object_get(from, "nics"), *b = json_object_get(to, "nics");
	bool same_nics = json_equal((json_t *)a, (json_t *)b);
	_json_ json_t *was = NULL, *now = NULL;
	int r;

	if (!v->run.running || (json_array_size(a) == 0 && json_array_size(b) == 0))
		return 0;
	/* its names alone may have changed, which name servers tell */
	if (same_nics && same_text(from, to, "alias") && same_text(from, to, "hostname") &&
	    (!l.machine || same_text(from, to, "resolvers")))
		return 0;
	/* before the switch is locked: the guest takes its time */
	r = l.machine && !same_nics ? machine_unplug(v, a, b, e) : 0;
	if (r == 0)
		r = live_open(v, &l, e);
	if (r < 0)
		return r;
	was = live_record(&l, from);
	now = live_record(&l, to);
	if (!same_nics)
		r = change(&l, was, now, e);
	if (r == 0 && l.machine)
		r = leases(&l, now, e);
	if (r == 0)
		r = addr_tell(v->c, v->st, &l.s, v->uuid, v->run.zoneid, now, e);
	if (r < 0 || l.plug.n == 0)
		return r;
	switch_close(&l.s);
	return machine_plug(v, &l.plug, to, e);
}

static bool same(const json_t *a, const json_t *b)
{
	return a == b || json_equal((json_t *)a, (json_t *)b);
}

void nics_later(const json_t *from, const json_t *to, json_t *list)
{
	static const char *const names[] = {"nic_tag", "vlan_id", "mtu", "interface", "model"};
	const json_t *a = json_object_get(from, "nics"), *o, *was;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(names); k++)
		json_array_foreach(json_object_get(to, "nics"), i, o)
		{
			was = by_mac(a, vm_str(o, "mac"));
			if (!was || same(json_object_get(was, names[k]), json_object_get(o, names[k])))
				continue;
			json_array_append_new(list, json_sprintf("nics.*.%s", names[k]));
			break;
		}
}
