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
#include "node/nics_in.h"
#include "zone/usage_net.h"

struct port {
	char name[16];
	uint32_t ifindex;
	struct sw_port p;
	bool there;    /* its interface too */
	bool counted;  /* what it carried is in the sum of those that have gone */
};

struct live {
	struct vm *v;
	struct net_switch s;
	int ns, rtnl; /* the zone's */
	struct port port[NICS_MAX];
	size_t n;
	uint64_t gone[2]; /* received, sent by those that are no more */
	uint32_t firewall, firewall_new; /* PORT_FIREWALL, of ports that are there, and of new ones */
};

static void live_done(struct live *l)
{
	own_fd(&l->ns);
	own_fd(&l->rtnl);
	switch_close(&l->s);
}

static const json_t *by_mac(const json_t *list, const char *mac)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, "mac"), mac))
			return o;
	return NULL;
}

/* ---- the ports that it has ---- */

static struct port *port_of(struct live *l, const uint8_t mac[6])
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->port[i].p.mac, mac, 6) == 0)
			return &l->port[i];
	return NULL;
}

static struct port *port_named(struct live *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->port[i].name, name))
			return &l->port[i];
	return NULL;
}

static int list_save(struct live *l, struct err *e)
{
	_free_ char *path = nics_list(l->v->c, l->v->uuid);
	_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < l->n; i++)
		buf_printf(&b, "%s %u%s\n", l->port[i].name, l->port[i].ifindex, l->port[i].counted ? " -" : "");
	if (l->gone[0] || l->gone[1])
		buf_printf(&b, "#gone %" PRIu64 " %" PRIu64 "\n", l->gone[0], l->gone[1]);
	return file_replace(path, buf_str(&b), b.len, 0600, 0, e);
}

/* One that a killed command had begun is taken away, or is whole: then it only lacked its number in the list. */
static int unfinished(struct live *l, const char *name, struct err *e)
{
	int index = rtnl_index(l->s.rtnl, name, NULL);
	struct port p = {.ifindex = (uint32_t)index};

	if (index < 0 || vnic_port(&l->s, (uint32_t)index, &p.p) != 1)
		return vnic_remove(&l->s, name, 0, e);
	snprintf(p.name, sizeof p.name, "%s", name);
	p.there = true;
	l->port[l->n++] = p;
	return 0;
}

static int load(struct live *l, struct err *e)
{
	_free_ char *path = nics_list(l->v->c, l->v->uuid);
	_buf_ struct buf b = BUF_INIT;
	struct nic_line line;
	int r = file_read(AT_FDCWD, path, 1 << 16, &b, NULL);
	const char *t;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(e, r, "%s", path);
	for (t = buf_str(&b); nic_line(&t, &line);) {
		struct port p = {.ifindex = line.ifindex, .counted = line.counted};
		int there = line.ifindex ? vnic_port(&l->s, line.ifindex, &p.p) : -ENOENT;

		if (!line.port[0]) {
			l->gone[0] += line.received;
			l->gone[1] += line.sent;
		}
		if (there < 0 || l->n == NICS_MAX || port_named(l, line.port))
			continue;
		memcpy(p.name, line.port, sizeof p.name);
		p.there = there == 1;
		l->port[l->n++] = p;
	}
	for (t = buf_str(&b); r >= 0 && nic_line(&t, &line);)
		if (line.port[0] && l->n < NICS_MAX && !port_named(l, line.port))
			r = unfinished(l, line.port, e);
	return r < 0 ? r : list_save(l, e);
}

static int live_open(struct vm *v, struct live *l, struct err *e)
{
	_fd_ int init = zone_pidfd(&v->run, e);
	int r;

	if (init < 0)
		return init;
	l->ns = ns_open(v->run.init_pid, "net", e);
	if (l->ns < 0)
		return l->ns;
	/* it lived when its namespace was opened, so that was its own and not of a process that has its number now */
	if (pidfd_wait(init, 0) == 0)
		return err_set(e, ESRCH, "the zone has ended");
	l->rtnl = rtnl_open_in(l->ns, e);
	r = l->rtnl < 0 ? l->rtnl : switch_open(v->c, true, &l->s, e);
	return r < 0 ? r : load(l, e);
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
	int r = nic_from_record(l->v->st, o, n, e), slot = slot_free(l);
	struct port *p = r < 0 ? NULL : port_of(l, n->v.mac);

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
		r = vnic_add(&l->s, &n->v, l->ns, e);
	if (r == -EEXIST) {
		err_set(e, EEXIST, "nics: the zone has an interface %s of its own", n->v.name);
		return err_hint(e, "Give this NIC another `interface`.");
	}
	if (r < 0)
		return r;
	p = &l->port[l->n++];
	*p = (struct port){.ifindex = (uint32_t)r, .there = true};
	snprintf(p->name, sizeof p->name, "%s", n->v.port);
	r = vnic_port(&l->s, p->ifindex, &p->p);
	if (r >= 0)
		r = nics_list_add(l->v->c, l->v->uuid, p->name, (int)p->ifindex, e);
	if (r == 0)
		r = nic_shape(l->v->st, &l->s, l->v->uuid, o, p->ifindex, e);
	if (r == 0)
		r = vnic_inside(&l->s, p->ifindex, l->rtnl, e);
	if (r > 0)
		r = vnic_set(l->rtnl, r, &n->v, true, e);
	if (r == 0)
		r = vnic_announce(&l->s, &n->v, NULL, p->ifindex, e);
	return r;
}

/* What it has carried joins the zone's sum, in one write and after the last frame: accounting goes on from that. */
static int count_up(struct live *l, struct port *p, struct err *e)
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
	return list_save(l, e);
}

/* Its MAC is enough: its tag may be gone. */
static int away(struct live *l, const json_t *o, struct err *e)
{
	uint8_t mac[6] = {0};
	struct port *p = nic_mac(o, mac) < 0 ? NULL : port_of(l, mac);
	int r;

	if (!p)
		return 0;
	r = count_up(l, p, e);
	if (r == 0)
		r = vnic_remove(&l->s, p->name, p->ifindex, e);
	if (r < 0)
		return r;
	memmove(p, p + 1, (size_t)(l->port + --l->n - p) * sizeof *p);
	return list_save(l, e);
}

/* inside: 0 = the switch alone, 1 = what goes from the zone, 2 = what comes there. */
static int alter(struct live *l, const json_t *was, const json_t *o, int inside, struct err *e)
{
	_free_ struct nic *old = xalloc(sizeof *old), *n = xalloc(sizeof *n);
	struct err why = ERR_INIT;
	struct port *p;
	int r = nic_from_record(l->v->st, was, old, e), index;

	if (r == 0)
		r = nic_from_record(l->v->st, o, n, e);
	if (r < 0)
		return r;
	p = port_of(l, n->v.mac);
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

/* Its names alone may have changed, which name servers tell. */
static int named_anew(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	int r;

	if (str_eq(vm_str(from, "alias"), vm_str(to, "alias")) && str_eq(vm_str(from, "hostname"), vm_str(to, "hostname")))
		return 0;
	r = switch_open(v->c, true, &s, e);
	return r < 0 ? r : addr_tell(v->c, v->st, &s, v->uuid, to, e);
}

int nics_live(struct vm *v, const json_t *from, const json_t *to, struct err *e)
{
	_clean_(live_done) struct live l = {.v = v, .s = NET_SWITCH_INIT, .ns = -1, .rtnl = -1};
	const json_t *a = json_object_get(from, "nics"), *b = json_object_get(to, "nics"), *o;
	size_t i;
	int r;

	if (!v->run.running || (json_array_size(a) == 0 && json_array_size(b) == 0))
		return 0;
	if (json_equal((json_t *)a, (json_t *)b))
		return named_anew(v, from, to, e);
	r = addr_take(v->st, v->uuid, to, e);
	if (r == 0)
		r = live_open(v, &l, e);
	if (r == 0)
		r = firewalled(&l, from, to, e);
	if (r == 0)
		r = strays_away(&l, a, b, e);
	if (r == 0)
		r = all_away(&l, a, b, true, e);
	json_array_foreach(b, i, o)
		if (r == 0 && !by_mac(a, vm_str(o, "mac")))
			r = add(&l, o, e);
	if (r == 0)
		r = all_changed(&l, a, b, 0, e);
	if (r == 0)
		r = all_away(&l, a, b, false, e);
	if (r == 0)
		r = all_changed(&l, a, b, 1, e);
	if (r >= 0)
		r = all_changed(&l, a, b, 2, e);
	return r < 0 ? r : addr_tell(v->c, v->st, &l.s, v->uuid, to, e);
}

static bool same(const json_t *a, const json_t *b)
{
	return a == b || json_equal((json_t *)a, (json_t *)b);
}

void nics_later(const json_t *from, const json_t *to, json_t *list)
{
	static const char *const names[] = {"nic_tag", "vlan_id", "mtu", "interface"};
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
