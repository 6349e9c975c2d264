/* SPDX-License-Identifier: MPL-2.0 */
/*
 * News of a lease from outside, applied to what runs. An address that comes is stored first, which is where two that want it meet, then in the
 * firewall's sets, then in the switch and the zone; one that goes takes the way back. Who is killed in between leaves an address that
 * nobody may send from, and the next news of the same lease finds the port without it and begins again.
 */
#include "node/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "model/vm.h"
#include "net/netd.h"
#include "node/addr.h"
#include "node/fw.h"
#include "node/netconf.h"
#include "node/nics_live_in.h"
#include "node/places.h"

#define SECOND 1000000000ULL

static const json_t *by_mac(const json_t *rec, const char *mac)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (str_eq(vm_str(o, "mac"), mac))
			return o;
	return NULL;
}

/* Its NIC as it is on the switch now. */
struct look {
	json_t *rec;      /* owned */
	const json_t *o;  /* NULL: it has gone, or asks nobody outside */
	struct nic *was;  /* owned */
	bool there;       /* the switch lets it have its lease */
};

static void look_done(struct look *k)
{
	json_decref(k->rec);
	free(k->was);
}

static bool port_has(const struct live_port *p, const struct net_ip *a)
{
	uint32_t ip;

	memcpy(&ip, a->ip, 4);
	for (int i = 0; i < p->p.n4; i++)
		if (p->p.ip4[i] == ip)
			return true;
	return p->p.flags & PORT_MORE_ADDRS;
}

static int look(struct vm *v, const char *mac, struct look *k, struct err *e)
{
	_clean_(live_close) struct live l = LIVE_INIT(v);
	struct live_port *p;
	int r = live_open(v, &l, e);

	if (r < 0)
		return r;
	k->rec = live_record(&l, v->rec);
	k->o = by_mac(k->rec, mac);
	r = k->o ? outside_asks(v->st, k->o, e) : 0;
	if (r <= 0) {
		k->o = NULL;
		return r;
	}
	k->was = xalloc(sizeof *k->was);
	r = nic_from_record(v->st, k->o, k->was, e);
	p = r < 0 ? NULL : live_port(&l, k->was->v.mac);
	k->there = p && p->there && k->was->dhcp.family && port_has(p, &k->was->dhcp);
	return r;
}

/* As it would be without a lease. */
static int bare(struct vm *v, const json_t *o, struct nic *n, struct err *e)
{
	_json_ json_t *copy = json_copy((json_t *)o), *ips = json_array();
	const json_t *s;
	size_t i;
	int r;

	json_array_foreach(json_object_get(o, "ips"), i, s)
		if (!str_eq(json_string_value(s), "dhcp"))
			json_array_append(ips, (json_t *)s);
	json_object_set(copy, "ips", ips);
	r = nic_from_record(v->st, copy, n, e);
	n->v.flags |= PORT_DHCP_CLIENT;
	return r;
}

/* The switch first, then the zone, which may be in its own way. tell: who asks, and who answers for names, have it from the store. */
static int apply(struct vm *v, const char *mac, const struct nic *was, bool lost, bool tell, struct err *e)
{
	_clean_(live_close) struct live l = LIVE_INIT(v);
	_free_ struct nic *now = xalloc(sizeof *now);
	_json_ json_t *rec = NULL;
	struct err why = ERR_INIT;
	struct live_port *p;
	const json_t *o;
	int index, r = live_open(v, &l, e);

	if (r < 0)
		return r;
	rec = live_record(&l, v->rec);
	o = by_mac(rec, mac);
	r = !o ? -ENOENT : lost ? bare(v, o, now, e) : nic_from_record(v->st, o, now, e);
	if (r == 0 && !lost)
		r = nic_check(now, e);
	p = r < 0 ? NULL : live_port(&l, now->v.mac);
	if (p && p->there) {
		r = vnic_change(&l.s, &now->v, p->ifindex, e);
		if (r == 0)
			r = vnic_announce(&l.s, &now->v, &was->v, p->ifindex, e);
		index = r < 0 ? r : l.machine ? 0 : vnic_inside(&l.s, p->ifindex, l.rtnl, &why);
		if (index > 0 && (vnic_unset(l.rtnl, index, &was->v, &now->v, &why) < 0 || vnic_set(l.rtnl, index, &now->v, false, &why) < 0))
			ctx_log(v->c, LOG_WARN, "VM %s: %s: %s", v->uuid, now->v.name, why.msg);
	}
	return r < 0 || !tell ? r : addr_tell(v->c, v->st, &l.s, v->uuid, v->run.zoneid, rec, e);
}

static int tell(struct vm *v, const json_t *rec, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	int r = switch_open(v->c, false, &s, e);

	return r < 0 ? r : addr_tell(v->c, v->st, &s, v->uuid, v->run.zoneid, rec, e);
}

static void event(struct vm *v, const char *kind, const json_t *nic, const char *ip, const json_t *said, const char *why)
{
	_json_ json_t *d = json_pack("{s:s, s:s, s:s?, s:s}", "mac", vm_str(nic, "mac") ?: "", "interface", vm_str(nic, "interface") ?: "", "address", ip, "nic_tag",
				     vm_str(nic, "nic_tag") ?: "");
	char when[CLOCK_TEXT];

	if (said) {
		json_object_set(d, "server", json_object_get(said, "server"));
		json_object_set_new(d, "until", json_string(clock_iso((uint64_t)vm_int(said, "until", 0) * SECOND, when)));
	}
	if (why)
		json_object_set_new(d, "why", json_string(why));
	state_event(v->st, kind, v->uuid, d, NULL);
}

static const char *ip_text(const struct net_ip *a, char out[INET6_ADDRSTRLEN])
{
	return inet_ntop(a->family, a->ip, out, INET6_ADDRSTRLEN) ?: "";
}

/* ---- it goes ---- */

static int lose(struct vm *v, const struct look *k, const char *why, struct err *e)
{
	_json_ json_t *had = NULL, *left = NULL;
	const char *mac = vm_str(k->o, "mac");
	char ip[INET6_ADDRSTRLEN];
	int r;

	if (!k->was->dhcp.family)
		return 0;
	ip_text(&k->was->dhcp, ip);
	r = apply(v, mac, k->was, true, false, e);
	if (r == 0)
		r = failpoint("lease-port", e);
	if (r == 0)
		r = fwaddr_note(v->st, v->rec, &had, e);
	if (r == 0) {
		left = json_deep_copy(had);
		fwaddr_without(left, mac, ip);
		r = vmfw_change(v, had, left, false, e);
	}
	if (r == 0)
		r = failpoint("lease-gone", e);
	if (r == 0)
		r = state_lease_lose(v->st, mac, v->uuid, e);
	if (r == 0)
		r = tell(v, k->rec, e);
	if (r == 0)
		event(v, "dhcp-lost", k->o, ip, NULL, why);
	return r;
}

/* ---- it comes ---- */

static uint64_t boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Whether it is told of what it has already, and for longer. */
static bool same(struct vm *v, const struct look *k, const struct outside_got *got)
{
	_json_ json_t *l = NULL, *a = NULL, *b = NULL;

	if (!k->there || memcmp(&k->was->dhcp, &got->ip, sizeof got->ip) || state_lease_from(v->st, vm_str(k->o, "mac") ?: "", vm_str(k->o, "nic_tag") ?: "", (unsigned)vm_int(k->o, "vlan_id", 0), &l, NULL) <= 0)
		return false;
	a = json_copy(json_object_get(l, "outside"));
	b = json_copy(got->said);
	json_object_del(a, "until");
	json_object_del(b, "until");
	return json_equal(a, b);
}

/* What no host can have. The client has looked at it too; it reads what anybody sends. */
static bool usable(const struct net_ip *a)
{
	const uint8_t *b = a->ip;
	uint32_t host = ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]), all;

	if (b[0] == 0 || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254) || a->prefix < 8 || a->prefix > 32)
		return false;
	all = a->prefix == 32 ? 0 : UINT32_MAX >> a->prefix;
	host &= all;
	return a->prefix > 30 || (host != 0 && host != all);
}

static int refused(struct vm *v, const struct look *k, const char *ip, const struct err *why, struct err *e)
{
	_free_ char *text = xstrdup(why->msg);

	event(v, "dhcp-refused", k->o, ip, NULL, text);
	return err_set(e, EADDRINUSE, "%s", text);
}

static int gain(struct vm *v, const struct look *k, const struct outside_got *got, struct err *e)
{
	struct lease_outside q = {.vm = v->uuid, .mac = vm_str(k->o, "mac") ?: "", .tag = vm_str(k->o, "nic_tag") ?: "", .vlan = (unsigned)vm_int(k->o, "vlan_id", 0), .said = got->said};
	_json_ json_t *had = NULL;
	struct err why = ERR_INIT;
	char ip[INET6_ADDRSTRLEN];
	uint32_t a;
	int r;

	memcpy(&a, got->ip.ip, 4);
	q.ip = ntohl(a);
	ip_text(&got->ip, ip);
	if (!usable(&got->ip)) {
		err_set(&why, EINVAL, "%s/%u is no address of a host", ip, got->ip.prefix);
		return refused(v, k, ip, &why, e);
	}
	r = fwaddr_note(v->st, v->rec, &had, e);
	if (r == 0)
		r = state_lease_learn(v->st, &q, &why);
	if (r == -EEXIST)
		return refused(v, k, ip, &why, e);
	if (r == 0)
		r = failpoint("lease-stored", &why);
	if (r == 0)
		r = vmfw_change(v, had, v->rec, false, &why);
	if (r == 0)
		r = failpoint("lease-sets", &why);
	if (r == 0)
		r = apply(v, q.mac, k->was, false, true, &why);
	if (r < 0) {
		struct look now = {.rec = json_incref(k->rec), .o = k->o, .was = xalloc(sizeof *now.was)};

		if (nic_from_record(v->st, k->o, now.was, NULL) == 0)
			lose(v, &now, "it could not be set", NULL);
		look_done(&now);
		if (r == -EADDRINUSE || r == -EINVAL)
			return refused(v, k, ip, &why, e);
		if (e)
			*e = why;
		return r;
	}
	event(v, "dhcp-lease", k->o, ip, got->said, NULL);
	if (!brand_hvm(v->brand))
		resolvers_leased(v);
	return 0;
}

static int again(struct vm *v, const struct look *k, const struct outside_got *got, struct err *e)
{
	struct lease_outside q = {.vm = v->uuid, .mac = vm_str(k->o, "mac") ?: "", .tag = vm_str(k->o, "nic_tag") ?: "", .vlan = (unsigned)vm_int(k->o, "vlan_id", 0), .said = got->said};
	uint32_t a;
	int r;

	memcpy(&a, got->ip.ip, 4);
	q.ip = ntohl(a);
	r = state_lease_learn(v->st, &q, e);
	return r < 0 ? r : tell(v, k->rec, e);
}

int outside_news(struct ctx *c, const char *uuid, const char *mac, uint64_t zoneid, const struct outside_got *got, const char *why, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_clean_(look_done) struct look k = {NULL};
	uint64_t now = boot_ms();
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	if (r == -ENOENT)
		return 0;
	/* what an earlier boot asked for it has given back, or asks for anew */
	if (r < 0 || !v.run.running || v.run.zoneid != zoneid || !by_mac(v.rec, mac))
		return r;
	r = look(&v, mac, &k, e);
	if (r < 0 || !k.o)
		return r;
	if (!got)
		return lose(&v, &k, why, e);
	if (got->until <= now) /* we have waited for the VM for longer than it lasts: the next news says so */
		return 0;
	json_object_set_new(got->said, "until", json_integer((json_int_t)((clock_wall_ns() / SECOND) + (got->until - now) / 1000)));
	if (same(&v, &k, got))
		return again(&v, &k, got, e);
	if (k.was->dhcp.family && memcmp(k.was->dhcp.ip, got->ip.ip, 4)) {
		r = lose(&v, &k, "the server gave another", e);
		look_done(&k);
		k = (struct look){NULL};
		if (r == 0)
			r = look(&v, mac, &k, e);
		if (r < 0 || !k.o)
			return r;
	}
	return gain(&v, &k, got, e);
}

int outside_again(struct ctx *c, const char *uuid, struct err *e)
{
	_clean_(live_close) struct live l;
	_json_ json_t *rec = NULL;
	_vm_ struct vm v = VM_INIT;
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	l = LIVE_INIT(&v);
	if (r < 0 || !v.run.running)
		return r;
	r = live_open(&v, &l, e);
	if (r == 0) {
		rec = live_record(&l, v.rec);
		r = addr_tell(c, v.st, &l.s, uuid, v.run.zoneid, rec, e);
	}
	return r;
}

/* ---- the VM was stopped ---- */

static int leave(struct vm *v, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_json_ json_t *had = NULL;
	struct places p;
	const json_t *o;
	bool any = false;
	size_t i;
	int r = fwaddr_note(v->st, v->rec, &had, e);

	/* it gives back what is not in its table any more */
	if (r == 0)
		r = switch_open(v->c, false, &s, e);
	if (r == 0)
		r = netd_drop_zone(&(struct netd){v->c, &s, places_find(v->c, &p), NETD_ASKS}, v->uuid, NULL, 0, e);
	switch_close(&s);
	s = NET_SWITCH_INIT;
	json_array_foreach(json_object_get(v->rec, "nics"), i, o)
	{
		if (r == 0 && addr_asks(o, "dhcp")) {
			r = state_lease_lose(v->st, vm_str(o, "mac") ?: "", v->uuid, e);
			any = true;
		}
	}
	return r < 0 || !any ? r : vmfw_change(v, had, v->rec, false, e);
}

void outside_leave(struct vm *v)
{
	struct err e = ERR_INIT;
	const json_t *o;
	bool asks = false;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "nics"), i, o)
		asks |= outside_asks(v->st, o, NULL) > 0;
	if (asks && leave(v, &e) < 0 && e.code != -ENOENT)
		ctx_log(v->c, LOG_WARN, "VM %s: its addresses are not given back to their DHCP server: %s", v->uuid, e.msg);
}
