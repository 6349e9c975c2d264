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
#include "base/steps.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/ns.h"
#include "kern/rtnl.h"
#include "kern/tun.h"
#include "net/attach.h"
#include "net/port.h"

/* The link is there, down: it becomes a port, or nothing is left of it. Returns its index. */
static int make_port(struct net_switch *s, const struct vnic *v, struct err *e)
{
	int ifindex = rtnl_index(s->rtnl, v->port, e), r = ifindex < 0 ? ifindex : 0;

	if (r == 0)
		r = failpoint("nic-link", e);
	if (r == 0)
		r = attach_port(s, v->port, ifindex, e);
	if (r == 0)
		r = failpoint("nic-program", e);
	if (r == 0)
		r = port_put(s, v, (uint32_t)ifindex, e);
	if (r == 0)
		r = failpoint("nic-port", e);
	if (r == 0)
		r = rtnl_up(s->rtnl, ifindex, true, e);
	if (r == 0)
		r = failpoint("nic-up", e);
	if (r < 0 && ifindex > 0)
		vnic_remove(s, v->port, (uint32_t)ifindex, NULL);
	return r < 0 ? r : ifindex;
}

int vnic_add(struct net_switch *s, const struct vnic *v, int zone_ns, struct err *e)
{
	struct rtnl_veth veth = {.name = v->port, .peer = v->name, .peer_ns = zone_ns, .peer_mac = v->mac, .mtu = v->mtu};
	int r = port_claim(s, v, 0, e);

	if (r == 0)
		r = rtnl_veth(s->rtnl, &veth, e);
	if (r == 0)
		r = make_port(s, v, e);
	return r < 0 ? err_add(e, "VNIC %s", v->name) : r;
}

int vnic_add_tap(struct net_switch *s, const struct vnic *v, int *tap, struct err *e)
{
	struct vnic mine = *v;
	_fd_ int fd = -1;
	int r = port_claim(s, v, 0, e);

	mine.flags |= PORT_L2;
	if (r == 0)
		r = fd = tun_open(s->ns, v->port, e);
	if (r >= 0)
		r = rtnl_index(s->rtnl, v->port, e);
	if (r >= 0)
		r = rtnl_mtu(s->rtnl, r, v->mtu, e);
	if (r >= 0)
		r = make_port(s, &mine, e);
	if (r < 0)
		return err_add(e, "VNIC %s", v->name);
	*tap = take_fd(&fd);
	return r;
}

int vnic_set(int rtnl, int index, const struct vnic *v, bool up, struct err *e)
{
	int r = 0;

	/* addresses before the link is up: IPv6 would begin to look for its own otherwise */
	for (size_t i = 0; r == 0 && i < v->nips; i++)
		r = rtnl_address(rtnl, index, v->ips[i].family, v->ips[i].ip, v->ips[i].prefix, e);
	if (r == 0 && up)
		r = rtnl_up(rtnl, index, true, e);
	for (size_t i = 0; r == 0 && i < v->ngateways; i++)
		r = rtnl_route(rtnl, index, v->gateways[i].family, NULL, 0, v->gateways[i].ip, e);
	for (size_t i = 0; r == 0 && i < v->nroutes; i++)
		r = rtnl_route(rtnl, index, v->routes[i].to.family, v->routes[i].to.ip, v->routes[i].to.prefix, v->routes[i].via, e);
	return r < 0 ? err_add(e, "VNIC %s", v->name) : 0;
}

int vnic_start(const struct vnic *v, int zone_ns, struct err *e)
{
	_fd_ int s = rtnl_open_in(zone_ns, e);
	int index = s < 0 ? s : rtnl_index(s, v->name, e);

	return index < 0 ? err_add(e, "VNIC %s", v->name) : vnic_set(s, index, v, true, e);
}

static bool has_ip(const struct net_ip *list, size_t n, const struct net_ip *a, bool prefix_too)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].family == a->family && memcmp(list[i].ip, a->ip, sizeof a->ip) == 0 && (!prefix_too || list[i].prefix == a->prefix))
			return true;
	return false;
}

static bool has_route(const struct vnic *v, const struct net_route *a)
{
	for (size_t i = 0; i < v->nroutes; i++)
		if (memcmp(&v->routes[i], a, sizeof *a) == 0)
			return true;
	return false;
}

int vnic_unset(int rtnl, int index, const struct vnic *old, const struct vnic *v, struct err *e)
{
	int r = 0, one;

	for (size_t i = 0; i < old->ngateways; i++)
		if (!has_ip(v->gateways, v->ngateways, &old->gateways[i], false)) {
			one = rtnl_route_gone(rtnl, index, old->gateways[i].family, NULL, 0, old->gateways[i].ip, r < 0 ? NULL : e);
			r = r < 0 ? r : one;
		}
	for (size_t i = 0; i < old->nroutes; i++)
		if (!has_route(v, &old->routes[i])) {
			const struct net_route *a = &old->routes[i];

			one = rtnl_route_gone(rtnl, index, a->to.family, a->to.ip, a->to.prefix, a->via, r < 0 ? NULL : e);
			r = r < 0 ? r : one;
		}
	for (size_t i = 0; i < old->nips; i++)
		if (!has_ip(v->ips, v->nips, &old->ips[i], true)) {
			one = rtnl_address_gone(rtnl, index, old->ips[i].family, old->ips[i].ip, old->ips[i].prefix, r < 0 ? NULL : e);
			r = r < 0 ? r : one;
		}
	return r < 0 ? err_add(e, "VNIC %s", v->name) : 0;
}

/* Never by its name: in a running zone that may be another's by now. */
int vnic_inside(struct net_switch *s, uint32_t ifindex, int rtnl, struct err *e)
{
	struct rtnl_link host, zone;
	int r = rtnl_get(s->rtnl, (int)ifindex, &host, e);

	if (r == 0)
		r = rtnl_get(rtnl, host.peer, &zone, e);
	if (r == 0 && zone.peer != (int)ifindex)
		r = err_set(e, ENODEV, "its interface has gone from the zone's network namespace");
	return r < 0 ? r : host.peer;
}

int vnic_change(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e)
{
	struct vnic now = *v;
	struct sw_port p;
	int r = bpf_get(s->map[SWM_PORTS], &ifindex, &p, e);

	if (r < 0)
		return err_add(e, "VNIC %s", v->name);
	now.sw = p.sw;
	r = port_claim(s, &now, ifindex, e);
	if (r == 0)
		r = port_change(s, &now, ifindex, e);
	return r < 0 ? err_add(e, "VNIC %s", v->name) : 0;
}

int vnic_port(struct net_switch *s, uint32_t ifindex, struct sw_port *p)
{
	int r = bpf_get(s->map[SWM_PORTS], &ifindex, p, NULL);

	return r < 0 ? r : rtnl_has(s->rtnl, (int)ifindex, NULL) == 1;
}

static int away(struct net_switch *s, const char *port, uint32_t ifindex, bool link_too, struct err *e)
{
	int now = rtnl_index(s->rtnl, port, NULL), r;

	if (ifindex == 0 && now > 0)
		ifindex = (uint32_t)now;
	r = ifindex ? port_forget(s, ifindex, e) : 0;
	if (now == -ENODEV || (uint32_t)now == ifindex)
		attach_gone(s, port);
	return r < 0 || (uint32_t)now != ifindex || !link_too ? r : rtnl_delete(s->rtnl, now, e);
}

int vnic_remove(struct net_switch *s, const char *port, uint32_t ifindex, struct err *e)
{
	return away(s, port, ifindex, true, e);
}

int vnic_leave(struct net_switch *s, const char *port, uint32_t ifindex, struct err *e)
{
	struct sw_port p;
	bool tap = ifindex && bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) == 0 && (p.flags & PORT_L2);

	/*
	 * A filter stays with the interface; a link of tcx would go with its pin, and the interface would stand open. A tap is in no zone's
	 * namespace: if it is there still, its monitor has seen to that.
	 */
	return away(s, port, ifindex, s->attach == ATTACH_TCX || tap, e);
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
		r = port_forget(s, g.ifindex[i], e);
	free(g.ifindex);
	if (r == 0) {
		port_sweep(s);
		r = attach_sweep(s, e);
	}
	return r < 0 ? r : (int)g.n;
}
