/* SPDX-License-Identifier: MPL-2.0 */
/* What the maps of the switch know of a port, each element written so that one who reads meanwhile sees the old or the new. */
#include "net/log.h"
#include "net/port.h"
#include "net/port_lists.h"
#include "net/shape.h"
#include "net/traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/steps.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"

static struct sw_ip_key ip_key(uint32_t sw, const struct net_ip *a)
{
	struct sw_ip_key k = {.sw = sw, .family = a->family == AF_INET ? 4 : 6};

	memcpy(k.ip, a->ip, a->family == AF_INET ? 4 : 16);
	return k;
}

static int put_neighbours(struct net_switch *s, uint32_t sw, const struct vnic *v, struct err *e)
{
	struct sw_neigh nb = {0};
	int r = 0;

	memcpy(nb.mac, v->mac, 6);
	for (size_t i = 0; r == 0 && i < v->nips; i++) {
		struct sw_ip_key k = ip_key(sw, &v->ips[i]);

		r = bpf_put(s->map[SWM_NEIGHBOURS], &k, &nb, e);
	}
	return r;
}

static int put_counters(struct net_switch *s, uint32_t ifindex, struct err *e)
{
	_free_ struct sw_count *zero = calloc((size_t)bpf_cpus(), sizeof *zero);

	return zero ? bpf_put(s->map[SWM_COUNTERS], &ifindex, zero, e) : err_sys(e, ENOMEM, "counters of a VNIC");
}

/* ---- the list of ports that a broadcast reaches: entry 0 is how many follow ---- */

static int flood_add(struct net_switch *s, uint32_t sw, uint32_t ifindex, struct err *e)
{
	struct sw_flood_key k = {.sw = sw};
	uint32_t n = 0;
	int r;

	if (bpf_get(s->map[SWM_FLOOD], &k, &n, NULL) == 0 && n >= SW_FLOOD)
		return err_set(e, ENOSPC, "a switch has at most %d ports", SW_FLOOD);
	k.i = ++n;
	r = bpf_put(s->map[SWM_FLOOD], &k, &ifindex, e);
	k.i = 0;
	return r < 0 ? r : bpf_put(s->map[SWM_FLOOD], &k, &n, e);
}

/* Element n goes, as the count says before it does. */
static int flood_shorten(struct net_switch *s, struct sw_flood_key *k, uint32_t n, struct err *e)
{
	uint32_t less = n - 1;
	int r;

	k->i = 0;
	r = bpf_put(s->map[SWM_FLOOD], k, &less, e);
	k->i = n;
	return r < 0 ? r : bpf_del(s->map[SWM_FLOOD], k, e);
}

/*
 * The last one takes its place. A frame that is sent just then may meet that one twice, and so do all if we are killed
 * between the two: the next who removes one here finds the last in the list before its end, and takes the end away.
 */
static int flood_remove(struct net_switch *s, uint32_t sw, uint32_t ifindex, struct err *e)
{
	struct sw_flood_key k = {.sw = sw}, at = {.sw = sw};
	uint32_t n = 0, one, last = 0, found = 0;
	int r = 0;

	if (bpf_get(s->map[SWM_FLOOD], &k, &n, NULL) < 0 || n == 0)
		return 0;
	k.i = n;
	bpf_get(s->map[SWM_FLOOD], &k, &last, NULL);
	for (at.i = 1; r == 0 && at.i < n; at.i++) {
		if (bpf_get(s->map[SWM_FLOOD], &at, &one, NULL) < 0)
			continue;
		if (one == last)
			return (r = flood_shorten(s, &k, n, e)) < 0 ? r : flood_remove(s, sw, ifindex, e);
		if (one == ifindex)
			found = at.i;
	}
	if (!found && last != ifindex)
		return 0;
	at.i = found;
	if (found)
		r = bpf_put(s->map[SWM_FLOOD], &at, &last, e);
	if (r == 0)
		r = failpoint("nic-flood", e);
	return r < 0 ? r : flood_shorten(s, &k, n, e);
}

int port_put(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e)
{
	struct sw_port p = {.sw = v->sw, .flags = v->flags, .vnic = v->number, .vrrp = v->vrrp, .lists = ifindex};
	struct sw_mac_key m = {.sw = v->sw};
	struct sw_dest d = {.ifindex = ifindex, .vnic = v->number};
	int r = put_counters(s, ifindex, e);

	memcpy(p.mac, v->mac, 6);
	memcpy(m.mac, v->mac, 6);
	memcpy(p.name, v->name, sizeof p.name);
	p.flags |= traffic_place(s, ifindex);
	if (r == 0)
		r = lists_put(s, &p, v, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_PORTS], &ifindex, &p, e);
	d.flags = p.flags;
	if (r == 0)
		r = bpf_put(s->map[SWM_FDB], &m, &d, e);
	if (r == 0)
		r = put_neighbours(s, v->sw, v, e);
	return r < 0 ? r : flood_add(s, v->sw, ifindex, e);
}

/* ---- forgotten ---- */

struct former {
	const struct sw_port *p;
	const struct vnic *keep; /* addresses that stay; NULL: none */
};

static bool is_kept(const struct former *f, const struct sw_ip_key *k)
{
	for (size_t i = 0; f->keep && i < f->keep->nips; i++) {
		struct sw_ip_key one = ip_key(f->p->sw, &f->keep->ips[i]);

		if (memcmp(&one, k, sizeof one) == 0)
			return true;
	}
	return false;
}

static bool neighbour_is(const void *key, int map, const void *arg)
{
	const struct former *f = arg;
	struct sw_neigh n;

	return ((const struct sw_ip_key *)key)->sw == f->p->sw && bpf_get(map, key, &n, NULL) == 0 && memcmp(n.mac, f->p->mac, 6) == 0 &&
	       !is_kept(f, key);
}

static void forget_neighbour(struct net_switch *s, const struct former *f, unsigned family, const void *ip)
{
	struct sw_ip_key k = {.sw = f->p->sw, .family = family};

	memcpy(k.ip, ip, family == 4 ? 4 : 16);
	if (neighbour_is(&k, s->map[SWM_NEIGHBOURS], f))
		bpf_del(s->map[SWM_NEIGHBOURS], &k, NULL);
}

static void forget_neighbours(struct net_switch *s, const struct former *f)
{
	/* nearly all have few addresses, which the port's entry names: the map need not be walked for them */
	for (int i = 0; i < f->p->n4; i++)
		forget_neighbour(s, f, 4, &f->p->ip4[i]);
	for (int i = 0; i < f->p->n6; i++)
		forget_neighbour(s, f, 6, f->p->ip6[i]);
	if (f->p->flags & PORT_MORE_ADDRS)
		map_forget(s->map[SWM_NEIGHBOURS], sizeof(struct sw_ip_key), neighbour_is, f);
}

/* What is noted of the virtual router that it is (bpf/vrrp.h). */
static void forget_vrrp(struct net_switch *s, const struct sw_port *p, uint32_t ifindex)
{
	struct sw_mac_key k = {.sw = p->sw, .mac = {0, 0, 0x5e, 0, 1, p->vrrp}};
	uint32_t has;

	for (; p->vrrp && k.mac[4] <= 2; k.mac[4]++)
		if (bpf_get(s->map[SWM_VRRP], &k, &has, NULL) == 0 && has == ifindex)
			bpf_del(s->map[SWM_VRRP], &k, NULL);
}

/*
 * Others find it no more, then it can send no more. What it is known by goes nearly last: who is killed before that is
 * followed by one who begins anew. What is left after that costs room and is port_sweep()'s.
 */
int port_forget(struct net_switch *s, uint32_t ifindex, struct err *e)
{
	struct sw_mac_key m = {0};
	struct sw_port p;
	struct sw_dest d;
	int r;

	if (bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) < 0) {
		r = shape_forget(s, ifindex, e);
		return r < 0 ? r : bpf_del(s->map[SWM_COUNTERS], &ifindex, e);
	}
	r = flood_remove(s, p.sw, ifindex, e);
	m.sw = p.sw;
	memcpy(m.mac, p.mac, 6);
	/* it may have been booted again meanwhile, with the same address at another port */
	if (r == 0 && bpf_get(s->map[SWM_FDB], &m, &d, NULL) == 0 && d.ifindex == ifindex) {
		forget_neighbours(s, &(struct former){&p, NULL});
		r = bpf_del(s->map[SWM_FDB], &m, e);
	}
	if (r == 0) /* also of one whose flag a killed command has taken away */
		r = shape_forget(s, ifindex, e);
	if (r == 0)
		r = failpoint("nic-forget", e);
	if (r == 0)
		r = bpf_del(s->map[SWM_PORTS], &ifindex, e);
	forget_vrrp(s, &p, ifindex);
	lists_forget(s, &p);
	net_log_port_gone(s, ifindex);
	if (r == 0)
		r = bpf_del(s->map[SWM_STORM], &ifindex, e);
	if (r == 0 && (p.flags & PORT_LEASE))
		r = bpf_del(s->map[SWM_LEASES], &ifindex, e);
	return r < 0 ? r : bpf_del(s->map[SWM_COUNTERS], &ifindex, e);
}

static bool count_nobodys(const void *key, int map, const void *arg)
{
	return list_nobodys(arg, *(const uint32_t *)key);
}

static bool vrrp_nobodys(const void *key, int map, const void *arg)
{
	uint32_t has;

	return bpf_get(map, key, &has, NULL) == 0 && list_nobodys(arg, has);
}

void port_sweep(struct net_switch *s)
{
	lists_sweep(s);
	map_forget(s->map[SWM_VRRP], sizeof(struct sw_mac_key), vrrp_nobodys, s);
	map_forget(s->map[SWM_COUNTERS], sizeof(uint32_t), count_nobodys, s);
	/* also of a port whose last broadcast was under way when it went: a full map would stop those of all new ports */
	map_forget(s->map[SWM_STORM], sizeof(uint32_t), count_nobodys, s);
	map_forget(s->map[SWM_LEASES], sizeof(uint32_t), count_nobodys, s);
	shape_sweep(s);
}

/* ---- changed ---- */

/* What of a port's flags the record says; the others are set by whom they belong to. */
#define RECORD_FLAGS                                                                                                                  \
	(PORT_MAC_NOSPOOF | PORT_IP_NOSPOOF | PORT_DHCP_NOSPOOF | PORT_RESTRICTED | PORT_DHCP_CLIENT | PORT_ADDRCONF | PORT_MORE_ADDRS | \
	 PORT_BLOCKED_PORTS | PORT_DHCP_CIDS)

int port_change(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e)
{
	struct sw_mac_key m = {0};
	struct sw_port old, p, left = {0};
	struct sw_dest d;
	int r = bpf_get(s->map[SWM_PORTS], &ifindex, &old, e);

	if (r < 0)
		return r;
	p = old;
	m.sw = p.sw;
	p.flags = (old.flags & ~RECORD_FLAGS) | v->flags;
	p.vrrp = v->vrrp;
	p.lists = old.lists ^ SW_LISTS_ODD;
	/* what a change that was killed has left there would be this one's */
	left.flags = (v->nips + v->nallowed ? PORT_MORE_ADDRS : 0) | (v->nblocked ? PORT_BLOCKED_PORTS : 0) | (v->ncids ? PORT_DHCP_CIDS : 0);
	left.lists = p.lists;
	lists_forget(s, &left);
	r = lists_put(s, &p, v, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_PORTS], &ifindex, &p, e);
	if (r < 0) {
		p.flags |= PORT_MORE_ADDRS | PORT_BLOCKED_PORTS | PORT_DHCP_CIDS;
		lists_forget(s, &p);
		return r;
	}
	r = put_neighbours(s, p.sw, v, e);
	memcpy(m.mac, p.mac, 6);
	if (r == 0 && bpf_get(s->map[SWM_FDB], &m, &d, NULL) == 0 && d.ifindex == ifindex) {
		d.flags = p.flags;
		r = bpf_put(s->map[SWM_FDB], &m, &d, e);
	}
	if (old.vrrp != p.vrrp)
		forget_vrrp(s, &old, ifindex);
	forget_neighbours(s, &(struct former){&old, v});
	lists_forget(s, &old);
	return r;
}

int port_flag(struct net_switch *s, uint32_t ifindex, uint32_t flag, bool on, struct err *e)
{
	struct sw_mac_key m = {0};
	struct sw_port p;
	struct sw_dest d;
	int r = bpf_get(s->map[SWM_PORTS], &ifindex, &p, e);

	if (r < 0)
		return r;
	p.flags = on ? p.flags | flag : p.flags & ~flag;
	r = bpf_put(s->map[SWM_PORTS], &ifindex, &p, e);
	m.sw = p.sw;
	memcpy(m.mac, p.mac, 6);
	if (r == 0 && bpf_get(s->map[SWM_FDB], &m, &d, NULL) == 0 && d.ifindex == ifindex) {
		d.flags = p.flags;
		r = bpf_put(s->map[SWM_FDB], &m, &d, e);
	}
	return r;
}

/* ---- whose it is ---- */

/* 1: the port is another's, and there. 0: it is this zone's own, or has gone and is forgotten. */
static int others(struct net_switch *s, const struct vnic *v, uint32_t ifindex, bool own_too, struct err *e)
{
	struct sw_port p;
	int r = rtnl_has(s->rtnl, (int)ifindex, e);

	if (r == 0)
		return port_forget(s, ifindex, e);
	if (r < 0 || own_too || bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) < 0)
		return r;
	return v->number >> 5 == 0 || p.vnic >> 5 != v->number >> 5;
}

static int claim_address(struct net_switch *s, const struct vnic *v, const struct net_ip *a, struct err *e)
{
	struct sw_ip_key k = ip_key(v->sw, a);
	struct sw_mac_key m = {.sw = v->sw};
	char text[INET6_ADDRSTRLEN] = "";
	struct sw_neigh n;
	struct sw_dest d;
	int r;

	if (bpf_get(s->map[SWM_NEIGHBOURS], &k, &n, NULL) < 0 || memcmp(n.mac, v->mac, 6) == 0)
		return 0;
	memcpy(m.mac, n.mac, 6);
	if (bpf_get(s->map[SWM_FDB], &m, &d, NULL) < 0)
		return 0;
	r = others(s, v, d.ifindex, false, e);
	inet_ntop(a->family, a->ip, text, sizeof text);
	return r <= 0 ? r : err_set(e, EADDRINUSE, "another VNIC of this switch has the address %s", text);
}

int port_claim(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e)
{
	struct sw_mac_key m = {.sw = v->sw};
	struct sw_dest d;
	int r = 0;

	memcpy(m.mac, v->mac, 6);
	if (bpf_get(s->map[SWM_FDB], &m, &d, NULL) == 0 && d.ifindex != ifindex)
		r = others(s, v, d.ifindex, true, e);
	if (r > 0)
		return err_set(e, EADDRINUSE, "another VNIC of this switch has the link address %02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
			       v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	for (size_t i = 0; r == 0 && i < v->nips; i++)
		r = claim_address(s, v, &v->ips[i], e);
	return r;
}
