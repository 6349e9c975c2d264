/* SPDX-License-Identifier: MPL-2.0 */
#include "net/vnic.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "kern/rtnl.h"

/* ---- what the switch knows of a port, each written so that one who reads meanwhile sees the old or the new ---- */

static int full(const struct net_ip *a)
{
	return a->prefix == (a->family == AF_INET ? 32u : 128u);
}

static struct sw_ip_key ip_key(uint32_t sw, const struct net_ip *a)
{
	struct sw_ip_key k = {.sw = sw, .family = a->family == AF_INET ? 4 : 6};

	memcpy(k.ip, a->ip, a->family == AF_INET ? 4 : 16);
	return k;
}

static struct sw_addr_key addr_key(uint32_t ifindex, const struct net_ip *a, unsigned prefix)
{
	struct sw_addr_key k = {.bits = 64 + prefix, .ifindex = ifindex, .family = a->family == AF_INET ? 4 : 6};

	memcpy(k.ip, a->ip, a->family == AF_INET ? 4 : 16);
	return k;
}

/* In the port's own entry while there is room, else in the trie. */
static int put_address(struct net_switch *s, struct sw_port *p, uint32_t ifindex, const struct net_ip *a, unsigned prefix, struct err *e)
{
	struct net_ip one = *a;
	struct sw_addr_key k;
	uint32_t yes = 1;

	one.prefix = prefix;
	if (full(&one) && a->family == AF_INET && p->n4 < SW_PORT_IP4) {
		memcpy(&p->ip4[p->n4++], a->ip, 4);
		return 0;
	}
	if (full(&one) && a->family == AF_INET6 && p->n6 < SW_PORT_IP6) {
		memcpy(p->ip6[p->n6++], a->ip, 16);
		return 0;
	}
	p->flags |= PORT_MORE_ADDRS;
	k = addr_key(ifindex, a, prefix);
	return bpf_put(s->map[SWM_ADDRS], &k, &yes, e);
}

static int put_blocked(struct net_switch *s, struct sw_port *p, uint32_t ifindex, const struct vnic *v, struct err *e)
{
	static const uint32_t protos[] = {6, 17};
	uint32_t yes = 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->nblocked; i++)
		for (size_t j = 0; r == 0 && j < ARRAY_LEN(protos); j++) {
			struct sw_port_key k = {.ifindex = ifindex, .port = protos[j] << 16 | v->blocked[i]};

			p->flags |= PORT_BLOCKED_PORTS;
			r = bpf_put(s->map[SWM_BLOCKED], &k, &yes, e);
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

/* The last one takes its place. A frame that is sent just then may meet that one twice. */
static int flood_remove(struct net_switch *s, uint32_t sw, uint32_t ifindex, struct err *e)
{
	struct sw_flood_key k = {.sw = sw}, at;
	uint32_t n = 0, one, last = 0;
	int r;

	if (bpf_get(s->map[SWM_FLOOD], &k, &n, NULL) < 0)
		return 0;
	at = k;
	for (at.i = 1; at.i <= n; at.i++)
		if (bpf_get(s->map[SWM_FLOOD], &at, &one, NULL) == 0 && one == ifindex)
			break;
	if (at.i > n)
		return 0;
	k.i = n;
	r = bpf_get(s->map[SWM_FLOOD], &k, &last, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_FLOOD], &at, &last, e);
	k.i = 0;
	n--;
	if (r == 0)
		r = bpf_put(s->map[SWM_FLOOD], &k, &n, e);
	k.i = n + 1;
	return r < 0 ? r : bpf_del(s->map[SWM_FLOOD], &k, e);
}

/* ---- links of the program ---- */

/* tcx attaches in the network namespace of the caller. */
static int attach(struct net_switch *s, const char *port, int ifindex, struct err *e)
{
	_free_ char *links = xprintf("%s/bpf/links", s->dir);
	_fd_ int home = ns_open(0, "net", e), link = -1;
	int r;

	if (home < 0)
		return home;
	if (setns(s->ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter the switch's network namespace");
	link = bpf_attach_tcx(s->prog, ifindex, e);
	if (setns(home, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "leave the switch's network namespace");
	if (link < 0)
		return link;
	r = bpf_pin(link, links, port, e);
	return r;
}

static void detach(struct net_switch *s, const char *port)
{
	_free_ char *path = xprintf("%s/bpf/links/%s", s->dir, port);

	unlink(path);
}

/* ---- */

static int fill_port(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e)
{
	struct sw_port p = {.sw = v->sw, .flags = v->flags, .vnic = v->number, .vrrp = v->vrrp};
	struct sw_mac_key m = {.sw = v->sw};
	struct sw_dest d = {.ifindex = ifindex, .vnic = v->number};
	struct sw_neigh nb = {0};
	int r = put_counters(s, ifindex, e);

	memcpy(p.mac, v->mac, 6);
	memcpy(m.mac, v->mac, 6);
	memcpy(nb.mac, v->mac, 6);
	for (size_t i = 0; r == 0 && i < v->nips; i++)
		r = put_address(s, &p, ifindex, &v->ips[i], v->ips[i].family == AF_INET ? 32 : 128, e);
	for (size_t i = 0; r == 0 && i < v->nallowed; i++)
		r = put_address(s, &p, ifindex, &v->allowed[i], v->allowed[i].prefix, e);
	if (r == 0)
		r = put_blocked(s, &p, ifindex, v, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_PORTS], &ifindex, &p, e);
	d.flags = p.flags;
	if (r == 0)
		r = bpf_put(s->map[SWM_FDB], &m, &d, e);
	for (size_t i = 0; r == 0 && i < v->nips; i++) {
		struct sw_ip_key k = ip_key(v->sw, &v->ips[i]);

		r = bpf_put(s->map[SWM_NEIGHBOURS], &k, &nb, e);
	}
	return r < 0 ? r : flood_add(s, v->sw, ifindex, e);
}

/* Entries of a map whose value or key names this port. The walk begins anew after each that goes. */
static void forget_keys(int map, size_t key_size, bool (*is)(const void *key, int map, const void *arg), const void *arg)
{
	char key[64], next[64];
	bool have = false;

	while (bpf_next(map, have ? key : NULL, next, NULL) == 1) {
		if (is(next, map, arg))
			bpf_del(map, next, NULL);
		else {
			memcpy(key, next, key_size);
			have = true;
		}
	}
}

static bool neighbour_is(const void *key, int map, const void *arg)
{
	const struct sw_port *p = arg;
	struct sw_neigh n;

	return ((const struct sw_ip_key *)key)->sw == p->sw && bpf_get(map, key, &n, NULL) == 0 && memcmp(n.mac, p->mac, 6) == 0;
}

static bool addr_is(const void *key, int map, const void *arg)
{
	return ((const struct sw_addr_key *)key)->ifindex == *(const uint32_t *)arg;
}

static bool blocked_is(const void *key, int map, const void *arg)
{
	return ((const struct sw_port_key *)key)->ifindex == *(const uint32_t *)arg;
}

static void forget_neighbours(struct net_switch *s, const struct sw_port *p)
{
	struct sw_ip_key k = {.sw = p->sw, .family = 4};
	struct sw_neigh n;

	/* nearly all have few addresses, which the port's entry names: the map need not be walked for them */
	for (int i = 0; i < p->n4; i++) {
		memcpy(k.ip, &p->ip4[i], 4);
		if (bpf_get(s->map[SWM_NEIGHBOURS], &k, &n, NULL) == 0 && memcmp(n.mac, p->mac, 6) == 0)
			bpf_del(s->map[SWM_NEIGHBOURS], &k, NULL);
	}
	k.family = 6;
	for (int i = 0; i < p->n6; i++) {
		memcpy(k.ip, p->ip6[i], 16);
		if (bpf_get(s->map[SWM_NEIGHBOURS], &k, &n, NULL) == 0 && memcmp(n.mac, p->mac, 6) == 0)
			bpf_del(s->map[SWM_NEIGHBOURS], &k, NULL);
	}
	if (p->flags & PORT_MORE_ADDRS)
		forget_keys(s->map[SWM_NEIGHBOURS], sizeof k, neighbour_is, p);
}

/* Backwards: the port first, so that nothing more comes from it. */
static int forget_port(struct net_switch *s, uint32_t ifindex, struct err *e)
{
	struct sw_mac_key m = {0};
	struct sw_port p;
	struct sw_dest d;
	int r;

	if (bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) < 0)
		return bpf_del(s->map[SWM_COUNTERS], &ifindex, e);
	r = bpf_del(s->map[SWM_PORTS], &ifindex, e);
	if (r == 0)
		r = flood_remove(s, p.sw, ifindex, e);
	m.sw = p.sw;
	memcpy(m.mac, p.mac, 6);
	/* it may have been booted again meanwhile, with the same address at another port */
	if (r == 0 && bpf_get(s->map[SWM_FDB], &m, &d, NULL) == 0 && d.ifindex == ifindex) {
		r = bpf_del(s->map[SWM_FDB], &m, e);
		forget_neighbours(s, &p);
	}
	if (p.flags & PORT_MORE_ADDRS)
		forget_keys(s->map[SWM_ADDRS], sizeof(struct sw_addr_key), addr_is, &ifindex);
	if (p.flags & PORT_BLOCKED_PORTS)
		forget_keys(s->map[SWM_BLOCKED], sizeof(struct sw_port_key), blocked_is, &ifindex);
	return r < 0 ? r : bpf_del(s->map[SWM_COUNTERS], &ifindex, e);
}

/* A port that had this MAC and whose zone ended without a command of ours to clean up: known no more. One that is there stays. */
static int forget_former(struct net_switch *s, const struct vnic *v, struct err *e)
{
	struct sw_mac_key m = {.sw = v->sw};
	struct sw_dest d;
	int r;

	memcpy(m.mac, v->mac, 6);
	if (bpf_get(s->map[SWM_FDB], &m, &d, NULL) < 0)
		return 0;
	r = rtnl_has(s->rtnl, (int)d.ifindex, e);
	if (r > 0)
		return err_set(e, EADDRINUSE, "another VNIC of this switch has the link address %02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
			       v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	return r < 0 ? r : forget_port(s, d.ifindex, e);
}

int vnic_add(struct net_switch *s, const struct vnic *v, int zone_ns, struct err *e)
{
	struct rtnl_veth veth = {.name = v->port, .peer = v->name, .peer_ns = zone_ns, .peer_mac = v->mac, .mtu = v->mtu};
	int r = forget_former(s, v, e), ifindex = 0;

	if (r == 0)
		r = rtnl_veth(s->rtnl, &veth, e);
	if (r == 0) {
		ifindex = rtnl_index(s->rtnl, v->port, e);
		r = ifindex < 0 ? ifindex : 0;
		if (r == 0)
			r = attach(s, v->port, ifindex, e);
		if (r == 0)
			r = fill_port(s, v, (uint32_t)ifindex, e);
		if (r == 0)
			r = rtnl_up(s->rtnl, ifindex, true, e);
		if (r < 0 && ifindex > 0)
			vnic_remove(s, v->port, (uint32_t)ifindex, NULL);
	}
	return r < 0 ? err_add(e, "VNIC %s", v->name) : ifindex;
}

int vnic_start(const struct vnic *v, int zone_ns, struct err *e)
{
	_fd_ int s = rtnl_open_in(zone_ns, e);
	int r = s < 0 ? s : rtnl_index(s, v->name, e), index = r;

	/* addresses before the link is up: IPv6 would begin to look for its own otherwise */
	for (size_t i = 0; r >= 0 && i < v->nips; i++)
		r = rtnl_address(s, index, v->ips[i].family, v->ips[i].ip, v->ips[i].prefix, e);
	if (r >= 0)
		r = rtnl_up(s, index, true, e);
	for (size_t i = 0; r >= 0 && i < v->ngateways; i++)
		r = rtnl_route(s, index, v->gateways[i].family, NULL, 0, v->gateways[i].ip, e);
	return r < 0 ? err_add(e, "VNIC %s", v->name) : 0;
}

int vnic_remove(struct net_switch *s, const char *port, uint32_t ifindex, struct err *e)
{
	int now = rtnl_index(s->rtnl, port, NULL), r;

	if (ifindex == 0 && now > 0)
		ifindex = (uint32_t)now;
	r = ifindex ? forget_port(s, ifindex, e) : 0;
	if (now == -ENODEV || (uint32_t)now == ifindex)
		detach(s, port);
	return r < 0 || (uint32_t)now != ifindex ? r : rtnl_delete(s->rtnl, now, e);
}

int vnic_each(struct net_switch *s, int (*each)(uint32_t, const struct sw_port *, const struct sw_count *, void *), void *arg, struct err *e)
{
	int cpus = bpf_cpus(), r;
	_free_ struct sw_count *c = calloc((size_t)cpus, sizeof *c);
	uint32_t key, next;
	bool have = false;

	while ((r = bpf_next(s->map[SWM_PORTS], have ? &key : NULL, &next, e)) == 1) {
		struct sw_count sum = {0};
		struct sw_port p;

		key = next;
		have = true;
		if (bpf_get(s->map[SWM_PORTS], &key, &p, NULL) < 0)
			continue;
		if (c && bpf_get(s->map[SWM_COUNTERS], &key, c, NULL) == 0)
			for (int i = 0; i < cpus; i++) {
				const uint64_t *from = (const void *)&c[i];
				uint64_t *to = (void *)&sum;

				for (size_t j = 0; j < sizeof sum / sizeof *to; j++)
					to[j] += from[j];
			}
		r = each(key, &p, &sum, arg);
		if (r < 0)
			return r;
	}
	return r;
}

struct gone {
	struct net_switch *s;
	uint32_t *ifindex;
	size_t n;
};

static int find_gone(uint32_t ifindex, const struct sw_port *p, const struct sw_count *sum, void *arg)
{
	struct gone *g = arg;

	if (rtnl_has(g->s->rtnl, (int)ifindex, NULL) != 0)
		return 0;
	g->ifindex = xrealloc(g->ifindex, (g->n + 1) * sizeof *g->ifindex);
	g->ifindex[g->n++] = ifindex;
	return 0;
}

int vnic_sweep(struct net_switch *s, struct err *e)
{
	struct gone g = {.s = s};
	int r = vnic_each(s, find_gone, &g, e);

	for (size_t i = 0; r == 0 && i < g.n; i++)
		r = forget_port(s, g.ifindex[i], e);
	free(g.ifindex);
	return r < 0 ? r : (int)g.n;
}
