/* SPDX-License-Identifier: MPL-2.0 */
#include "net/fabric.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "kern/netdev.h"
#include "kern/rtnl.h"
#include "net/uplink.h"
#include "net/wire.h"

#define DEVICE "vx0"
#define DEVICE_MTU 9000 /* of the largest NIC: what is too large for the hosts between is refused when the fabric is made */

_Static_assert(FABRIC_ENDS == SW_ENDS, "what the program walks");

void fabric_done(struct fabric *f)
{
	free(take(f->ends));
	free(take(f->hosts));
	f->nends = f->nhosts = 0;
}

/* ---- what is told ---- */

int fabric_ip(const char *text, struct net_ip *out)
{
	*out = (struct net_ip){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	out->prefix = out->family == AF_INET ? 32 : 128;
	return inet_pton(out->family, text, out->ip) == 1 ? 0 : -EINVAL;
}

static bool ip_same(const struct net_ip *a, const struct net_ip *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static int find_end(const struct fabric *f, const struct net_ip *ip)
{
	for (size_t i = 0; i < f->nends; i++)
		if (ip_same(&f->ends[i], ip))
			return (int)i;
	return -1;
}

int fabric_end(struct fabric *f, const struct net_ip *ip, struct err *e)
{
	if (find_end(f, ip) >= 0)
		return err_set(e, EEXIST, "an end is told twice");
	if (ip->family != f->local.family)
		return err_set(e, EINVAL, "an end of another address family than local");
	if (ip_same(ip, &f->local))
		return err_set(e, EINVAL, "local is no end of its own");
	if (f->nends == FABRIC_ENDS)
		return err_set(e, E2BIG, "a fabric has at most %d ends", FABRIC_ENDS);
	if ((f->nends & (f->nends - 1)) == 0) /* 0, 1, 2, 4, … */
		f->ends = xrealloc(f->ends, (f->nends ? f->nends * 2 : 1) * sizeof *f->ends);
	f->ends[f->nends] = *ip;
	return (int)f->nends++;
}

static int parse_line(const char *line, struct fabric *f, struct err *e)
{
	char mac[18], ip[64], end[64], more[2];
	struct fabric_host h = {.end = 0};
	struct net_ip to;
	char rest;
	int i, n = sscanf(line, " %17s %63s %63s %1s", mac, ip, end, more);

	if (n <= 0 || mac[0] == '#')
		return 0;
	if (n != 3 || sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &h.mac[0], &h.mac[1], &h.mac[2], &h.mac[3], &h.mac[4], &h.mac[5], &rest) != 6 ||
	    (h.mac[0] & 1) || fabric_ip(ip, &h.ip) < 0 || fabric_ip(end, &to) < 0)
		return err_set(e, EINVAL, "not \"mac ip end\"");
	i = find_end(f, &to);
	if (i < 0)
		i = fabric_end(f, &to, e);
	if (i < 0)
		return i;
	if (f->nhosts == FABRIC_HOSTS)
		return err_set(e, E2BIG, "more than %d lines", FABRIC_HOSTS);
	h.end = (uint32_t)i;
	if ((f->nhosts & (f->nhosts - 1)) == 0)
		f->hosts = xrealloc(f->hosts, (f->nhosts ? f->nhosts * 2 : 1) * sizeof *f->hosts);
	f->hosts[f->nhosts++] = h;
	return 0;
}

int fabric_parse(const char *text, size_t n, struct fabric *f, struct err *e)
{
	unsigned number = 0;
	size_t at = 0;

	while (at < n) {
		const char *nl = memchr(text + at, '\n', n - at);
		size_t len = nl ? (size_t)(nl - text) - at : n - at;
		char line[256];
		int r;

		number++;
		if (len >= sizeof line || memchr(text + at, 0, len))
			return err_set(e, EINVAL, "line %u: not \"mac ip end\"", number);
		memcpy(line, text + at, len);
		line[len] = 0;
		r = parse_line(line, f, e);
		if (r < 0)
			return err_add(e, "line %u", number);
		at += len + 1;
	}
	return 0;
}

/* ---- in the maps ---- */

/* As bpf_tunnel_key has it. */
static void key_ip(const struct net_ip *a, uint32_t *family, uint32_t ip[4])
{
	memset(ip, 0, 16);
	*family = a->family == AF_INET ? 4 : 6;
	if (a->family == AF_INET6) {
		memcpy(ip, a->ip, 16);
		return;
	}
	memcpy(ip, a->ip, 4);
	ip[0] = ntohl(ip[0]);
}

static struct sw_peer_key peer_key(const struct fabric *f, size_t i)
{
	struct sw_peer_key k = {.vni = f->vni};

	key_ip(&f->ends[i], &k.family, k.ip);
	return k;
}

static struct sw_ip_key neigh_key(const struct fabric *f, const struct fabric_host *h)
{
	struct sw_ip_key k = {.sw = f->id << 12, .family = h->ip.family == AF_INET ? 4 : 6};

	memcpy(k.ip, h->ip.ip, h->ip.family == AF_INET ? 4 : 16);
	return k;
}

static int put_hosts(struct net_switch *s, const struct fabric *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->nhosts; i++) {
		const struct fabric_host *h = &f->hosts[i];
		struct sw_mac_key m = {.sw = f->id << 12};
		struct sw_ip_key k = neigh_key(f, h);
		struct sw_neigh nb = {0};
		struct sw_end to;

		key_ip(&f->ends[h->end], &to.family, to.ip);
		memcpy(m.mac, h->mac, 6);
		memcpy(nb.mac, h->mac, 6);
		r = bpf_put(s->map[SWM_REMOTES], &m, &to, e);
		if (r == 0)
			r = bpf_put(s->map[SWM_NEIGHBOURS], &k, &nb, e);
	}
	return r;
}

static int put_ends(struct net_switch *s, const struct fabric *f, struct err *e)
{
	uint32_t sw = f->id << 12;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->nends; i++) {
		struct sw_flood_key k = {.sw = sw, .i = (uint32_t)i + 1};
		struct sw_peer_key p = peer_key(f, i);
		struct sw_end to;

		key_ip(&f->ends[i], &to.family, to.ip);
		r = bpf_put(s->map[SWM_ENDS], &k, &to, e);
		if (r == 0)
			r = bpf_put(s->map[SWM_PEERS], &p, &sw, e);
	}
	return r;
}

/* One for all fabrics: the VXLAN id and the ends are with each frame. */
static int tunnel(struct net_switch *s, int host, struct err *e)
{
	struct wire w = {.number = FABRIC_VNIC, .port = DEVICE, .program = "from_tunnel"};
	int r = 0, index = rtnl_index(s->rtnl, DEVICE, NULL);

	if (index < 0) {
		r = netdev_vxlan(host, s->ns, DEVICE, FABRIC_PORT, DEVICE_MTU, e);
		index = r < 0 ? r : rtnl_index(s->rtnl, DEVICE, e);
	}
	if (index < 0)
		return index;
	r = wire_port(s, &w, index, e);
	if (r == 0)
		r = rtnl_up(s->rtnl, index, true, e);
	return r < 0 ? r : index;
}

int fabric_up(struct net_switch *s, int host, const struct fabric *f, struct err *e)
{
	struct sw_wire w = {.kind = WIRE_FABRIC, .vni = f->vni, .nends = (uint32_t)f->nends, .flags = f->nhosts ? 0 : WIRE_FLOOD};
	int r = tunnel(s, host, e), index = r;

	if (r < 0)
		return r;
	w.ifindex = (uint32_t)index;
	key_ip(&f->local, &w.family, w.local);
	r = put_hosts(s, f, e);
	if (r == 0)
		r = put_ends(s, f, e);
	return r < 0 ? r : wire_set(s, f->id, &w, e);
}

int fabric_down(struct net_switch *s, const struct fabric *f, bool last, struct err *e)
{
	int r = wire_leave(s, f->id, DEVICE, 0, e), index;

	for (size_t i = 0; r == 0 && i < f->nends; i++) {
		struct sw_flood_key k = {.sw = f->id << 12, .i = (uint32_t)i + 1};
		struct sw_peer_key p = peer_key(f, i);

		r = bpf_del(s->map[SWM_PEERS], &p, e);
		if (r == 0)
			r = bpf_del(s->map[SWM_ENDS], &k, e);
	}
	for (size_t i = 0; r == 0 && i < f->nhosts; i++) {
		struct sw_mac_key m = {.sw = f->id << 12};
		struct sw_ip_key k = neigh_key(f, &f->hosts[i]);
		struct sw_neigh nb;

		memcpy(m.mac, f->hosts[i].mac, 6);
		r = bpf_del(s->map[SWM_REMOTES], &m, e);
		/* unless somebody here has the address by now */
		if (r == 0 && bpf_get(s->map[SWM_NEIGHBOURS], &k, &nb, NULL) == 0 && memcmp(nb.mac, m.mac, 6) == 0)
			r = bpf_del(s->map[SWM_NEIGHBOURS], &k, e);
	}
	index = last ? rtnl_index(s->rtnl, DEVICE, NULL) : -1;
	if (r == 0 && index > 0)
		r = wire_leave(s, f->id, DEVICE, index, e);
	return r < 0 || index <= 0 ? r : rtnl_delete(s->rtnl, index, e);
}
