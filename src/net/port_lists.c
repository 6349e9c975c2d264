/* SPDX-License-Identifier: MPL-2.0 */
#include "net/port_lists.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "kern/bpf.h"

static int full(const struct net_ip *a)
{
	return a->prefix == (a->family == AF_INET ? 32u : 128u);
}

static struct sw_addr_key addr_key(uint32_t list, const struct net_ip *a, unsigned prefix)
{
	struct sw_addr_key k = {.bits = 64 + prefix, .list = list, .family = a->family == AF_INET ? 4 : 6};

	memcpy(k.ip, a->ip, a->family == AF_INET ? 4 : 16);
	return k;
}

/* In the port's own entry while there is room, else in the trie. */
static int put_address(struct net_switch *s, struct sw_port *p, const struct net_ip *a, unsigned prefix, struct err *e)
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
	k = addr_key(p->lists, a, prefix);
	return bpf_put(s->map[SWM_ADDRS], &k, &yes, e);
}

static int put_blocked(struct net_switch *s, struct sw_port *p, const struct vnic *v, struct err *e)
{
	static const uint32_t protos[] = {6, 17};
	uint32_t yes = 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->nblocked; i++)
		for (size_t j = 0; r == 0 && j < ARRAY_LEN(protos); j++) {
			struct sw_port_key k = {.list = p->lists, .port = protos[j] << 16 | v->blocked[i]};

			p->flags |= PORT_BLOCKED_PORTS;
			r = bpf_put(s->map[SWM_BLOCKED], &k, &yes, e);
		}
	return r;
}

/* One id, in pieces. Those that another id of the same length begins with are there already. */
static int put_cid(struct net_switch *s, uint32_t list, const struct vnic_cid *c, uint32_t *last, struct err *e)
{
	struct sw_cid_key k = {.list = list, .len = c->len};
	int r = 0;

	for (unsigned at = 0; r == 0 && at < c->len; at += SW_CID_PART) {
		uint32_t next;

		memset(k.part, 0, sizeof k.part);
		memcpy(k.part, c->id + at, c->len - at < SW_CID_PART ? c->len - at : SW_CID_PART);
		if (bpf_get(s->map[SWM_CIDS], &k, &next, NULL) < 0) {
			next = ++*last;
			r = bpf_put(s->map[SWM_CIDS], &k, &next, e);
		}
		k.from = next;
	}
	return r;
}

static int put_cids(struct net_switch *s, struct sw_port *p, const struct vnic *v, struct err *e)
{
	uint32_t last = 0;
	int r = 0;

	if (v->ncids)
		p->flags |= PORT_DHCP_CIDS;
	for (size_t i = 0; r == 0 && i < v->ncids; i++)
		r = put_cid(s, p->lists, &v->cids[i], &last, e);
	return r;
}

int lists_put(struct net_switch *s, struct sw_port *p, const struct vnic *v, struct err *e)
{
	int r = 0;

	p->n4 = p->n6 = 0;
	memset(p->ip4, 0, sizeof p->ip4);
	memset(p->ip6, 0, sizeof p->ip6);
	for (size_t i = 0; r == 0 && i < v->nips; i++)
		r = put_address(s, p, &v->ips[i], v->ips[i].family == AF_INET ? 32 : 128, e);
	for (size_t i = 0; r == 0 && i < v->nallowed; i++)
		r = put_address(s, p, &v->allowed[i], v->allowed[i].prefix, e);
	if (r == 0)
		r = put_cids(s, p, v, e);
	return r < 0 ? r : put_blocked(s, p, v, e);
}

/* ---- forgotten ---- */

/* The walk begins anew after each that goes. */
void map_forget(int map, size_t key_size, bool (*is)(const void *key, int map, const void *arg), const void *arg)
{
	char key[sizeof(struct sw_cid_key)], next[sizeof(struct sw_cid_key)]; /* the largest */
	bool have = false;

	while (bpf_next(map, have ? key : NULL, next, NULL) == 1) {
		if (is(next, map, arg) && bpf_del(map, next, NULL) == 0)
			continue;
		/* also one that the kernel will not let go: else this would have no end, with the switch's lock held */
		memcpy(key, next, key_size);
		have = true;
	}
}

static bool addr_is(const void *key, int map, const void *arg)
{
	const struct sw_addr_key *k = key;

	return !(k->family & SW_OF_SET) && k->list == *(const uint32_t *)arg;
}

static bool blocked_is(const void *key, int map, const void *arg)
{
	return ((const struct sw_port_key *)key)->list == *(const uint32_t *)arg;
}

static bool cid_is(const void *key, int map, const void *arg)
{
	return ((const struct sw_cid_key *)key)->list == *(const uint32_t *)arg;
}

void lists_forget(struct net_switch *s, const struct sw_port *p)
{
	if (p->flags & PORT_MORE_ADDRS)
		map_forget(s->map[SWM_ADDRS], sizeof(struct sw_addr_key), addr_is, &p->lists);
	if (p->flags & PORT_BLOCKED_PORTS)
		map_forget(s->map[SWM_BLOCKED], sizeof(struct sw_port_key), blocked_is, &p->lists);
	if (p->flags & PORT_DHCP_CIDS)
		map_forget(s->map[SWM_CIDS], sizeof(struct sw_cid_key), cid_is, &p->lists);
}

bool list_nobodys(const struct net_switch *s, uint32_t list)
{
	uint32_t ifindex = list & ~SW_LISTS_ODD;
	struct sw_port p;

	return bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) == -ENOENT;
}

static bool addr_nobodys(const void *key, int map, const void *arg)
{
	const struct sw_addr_key *k = key;

	return !(k->family & SW_OF_SET) && list_nobodys(arg, k->list);
}

static bool blocked_nobodys(const void *key, int map, const void *arg)
{
	return list_nobodys(arg, ((const struct sw_port_key *)key)->list);
}

static bool cid_nobodys(const void *key, int map, const void *arg)
{
	return list_nobodys(arg, ((const struct sw_cid_key *)key)->list);
}

void lists_sweep(struct net_switch *s)
{
	map_forget(s->map[SWM_ADDRS], sizeof(struct sw_addr_key), addr_nobodys, s);
	map_forget(s->map[SWM_BLOCKED], sizeof(struct sw_port_key), blocked_nobodys, s);
	map_forget(s->map[SWM_CIDS], sizeof(struct sw_cid_key), cid_nobodys, s);
}
