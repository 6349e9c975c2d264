/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists of the firewall into the switch's maps. What the kernel gets is flat: one element for each peer of each entry, inbound before
 * outbound, behind a head. A list is a map of its own, filled before anybody can see it, and takes its place in one write.
 */
#include "net/fw.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/log.h"
#include "net/vnic.h"

#define LIST_MAX 8192 /* elements of a list in one direction */
#define SPARE    64   /* descriptors that the program needs for other things */

_Static_assert(sizeof(struct sw_rule) == sizeof(struct sw_fw_head), "the head is an element");
_Static_assert((int)FW_PEER_ANY == (int)FW_RULE_ANY && (int)FW_PEER_NET == (int)FW_RULE_NET && (int)FW_PEER_SET == (int)FW_RULE_SET, "one enum");

/* ---- as the kernel has it ---- */

static void put_peer(const struct fw_peer *p, struct sw_rule *out)
{
	unsigned bits = p->prefix;

	out->peer = p->kind;
	out->set = p->kind == FW_PEER_SET ? p->set : 0;
	if (p->kind != FW_PEER_NET)
		return;
	out->family = p->a.family;
	for (unsigned i = 0; i < (p->a.family == 4 ? 4 : 16); i++, bits -= bits < 8 ? bits : 8) {
		out->mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
		out->ip[i] = p->a.ip[i] & out->mask[i];
	}
}

static void put_ports(const struct fw_entry *e, struct sw_rule *out)
{
	bool icmp = e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6;

	out->nports = e->nports;
	for (int i = 0; i < FW_PORTS_MAX; i++) {
		const struct fw_range *p = &e->port[i];

		out->port[i].lo = 1; /* and hi 0: none */
		if (i >= e->nports)
			continue;
		out->port[i].lo = icmp ? (uint16_t)(p->lo << 8 | (p->hi == FW_CODE_ANY ? 0 : p->hi)) : p->lo;
		out->port[i].hi = icmp ? (uint16_t)(p->lo << 8 | (p->hi == FW_CODE_ANY ? 255 : p->hi)) : p->hi;
	}
}

static int check(const struct fw_entry *e, struct err *err)
{
	if (e->npeers < 1 || e->npeers > FW_PEERS_MAX || e->nports > FW_PORTS_MAX)
		return err_set(err, EINVAL, "a rule with %u targets and %u ports", e->npeers, e->nports);
	for (unsigned i = 0; i < e->npeers; i++) {
		const struct fw_peer *p = &e->peer[i];

		if (p->kind > FW_PEER_SET || (p->kind == FW_PEER_NET && !((p->a.family == 4 && p->prefix <= 32) || (p->a.family == 6 && p->prefix <= 128))))
			return err_set(err, EINVAL, "a rule with a target of an unknown kind");
	}
	return 0;
}

static void put_entry(const struct fw_entry *e, struct sw_rule *out)
{
	for (unsigned i = 0; i < e->npeers; i++) {
		struct sw_rule *r = &out[i];

		memset(r, 0, sizeof *r);
		memcpy(r->rule, e->rule, 16);
		r->family = e->proto == IPPROTO_ICMP ? 4 : e->proto == IPPROTO_ICMPV6 ? 6 : 0;
		r->proto = e->proto;
		r->block = e->action == FW_BLOCK;
		r->log = e->log;
		put_ports(e, r);
		put_peer(&e->peer[i], r);
	}
}

/* The head, inbound, outbound. *n: how many elements. */
static int flatten(const struct fw_list *l, struct sw_rule **out, uint32_t *n, struct err *e)
{
	struct sw_fw_head *h;
	size_t count = 1;
	uint32_t at = 1;

	for (size_t i = 0; i < l->n; i++) {
		int r = check(&l->entry[i], e);

		if (r < 0)
			return r;
		count += l->entry[i].npeers;
	}
	if (count > LIST_MAX)
		return err_set(e, E2BIG, "a VM has at most %d rules, each target counted", LIST_MAX - 1);
	*out = xalloc(count * sizeof **out);
	h = (void *)*out;
	for (int dir = FW_IN; dir <= FW_OUT; dir++) {
		for (size_t i = 0; i < l->n; i++)
			if (l->entry[i].dir == dir) {
				put_entry(&l->entry[i], *out + at);
				at += l->entry[i].npeers;
			}
		if (dir == FW_IN)
			h->nin = at - 1;
	}
	h->nout = at - 1 - h->nin;
	*n = at;
	return 0;
}

/* ---- a list that is there ---- */

/* 1 and all of it, or 0. */
static int read_list(struct net_switch *s, uint32_t zone, struct sw_rule **out, uint32_t *n, struct err *e)
{
	struct err miss = ERR_INIT;
	_fd_ int fd = bpf_inner(s->map[SWM_FW_LISTS], &zone, &miss);
	uint32_t zero = 0, place = 0, *keys;
	struct sw_fw_head h;
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		if (e)
			*e = miss;
		return fd;
	}
	r = bpf_get(fd, &zero, &h, e);
	if (r < 0)
		return r;
	*n = 1 + h.nin + h.nout;
	*out = xalloc(*n * sizeof **out);
	keys = xalloc(*n * sizeof *keys);
	r = bpf_batch(fd, keys, *out, n, &place, true, e);
	free(keys);
	if (r < 0)
		free(take(*out));
	return r < 0 ? r : 1;
}

static bool is_in(const struct sw_rule *list, uint32_t i)
{
	return i <= ((const struct sw_fw_head *)list)->nin;
}

/* What its rules have counted stays with those that are still there; since when it is on, too. */
static void carry(const struct sw_rule *old, uint32_t nold, struct sw_rule *list, uint32_t n)
{
	const struct sw_fw_head *from = (const void *)old;
	struct sw_fw_head *to = (void *)list;

	to->since = from->since;
	to->in_packets = from->in_packets;
	to->in_bytes = from->in_bytes;
	to->out_packets = from->out_packets;
	to->out_bytes = from->out_bytes;
	for (uint32_t i = 1; i < nold; i++)
		for (uint32_t j = 1; old[i].packets && j < n; j++)
			if (memcmp(old[i].rule, list[j].rule, 16) == 0 && is_in(old, i) == is_in(list, j)) {
				list[j].packets += old[i].packets;
				list[j].bytes += old[i].bytes;
				break;
			}
}

/* A map with the list in it. */
static int make_list(struct net_switch *s, const struct fw_list *l, uint64_t since, struct err *e)
{
	_free_ struct sw_rule *list = NULL, *old = NULL;
	_free_ uint32_t *keys = NULL;
	_fd_ int fd = -1;
	uint32_t n = 0, nold = 0;
	int r = flatten(l, &list, &n, e);

	if (r == 0)
		r = read_list(s, l->zone, &old, &nold, e);
	if (r < 0)
		return r;
	((struct sw_fw_head *)list)->since = since;
	if (r)
		carry(old, nold, list, n);
	fd = bpf_array(sizeof *list, n, e);
	if (fd < 0)
		return fd;
	keys = xalloc(n * sizeof *keys);
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	r = bpf_put_all(fd, keys, list, n, e);
	return r < 0 ? r : take_fd(&fd);
}

/* ---- ports ---- */

struct open_port {
	uint32_t ifindex, list; /* which of the lists is its zone's */
};

struct ports {
	const struct fw_list *list;
	size_t n;
	bool on; /* looked for: those that ask a list, or those that don't */
	struct open_port *port;
	size_t nport;
};

static int note_port(uint32_t ifindex, const struct sw_port *p, const struct sw_count *sum, void *arg)
{
	struct ports *a = arg;

	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].zone == p->vnic >> 5 && !(p->flags & PORT_FIREWALL) != a->on) {
			a->port = xrealloc(a->port, (a->nport + 1) * sizeof *a->port);
			a->port[a->nport++] = (struct open_port){ifindex, (uint32_t)i};
		}
	return 0;
}

static int set_port(struct net_switch *s, uint32_t ifindex, bool on, struct err *e)
{
	struct sw_mac_key m = {0};
	struct sw_port p;
	struct sw_dest d;
	int r;

	if (bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) < 0)
		return 0; /* gone meanwhile */
	p.flags = on ? p.flags | PORT_FIREWALL : p.flags & ~(uint32_t)PORT_FIREWALL;
	r = bpf_put(s->map[SWM_PORTS], &ifindex, &p, e);
	m.sw = p.sw;
	memcpy(m.mac, p.mac, 6);
	if (r < 0 || bpf_get(s->map[SWM_FDB], &m, &d, NULL) < 0 || d.ifindex != ifindex)
		return r;
	d.flags = on ? d.flags | PORT_FIREWALL : d.flags & ~(uint32_t)PORT_FIREWALL;
	return bpf_put(s->map[SWM_FDB], &m, &d, e);
}

/* ---- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* as the program reads it */
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Each list that waits is a descriptor. */
static size_t at_once(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY || l.rlim_cur > 4096)
		return 4096 - SPARE;
	return l.rlim_cur > 2 * SPARE ? l.rlim_cur - SPARE : 1;
}

static uint64_t since(const struct ports *a, size_t list)
{
	for (size_t i = 0; i < a->nport; i++)
		if (a->port[i].list == list)
			return now();
	return 0; /* its ports are closed, or not there yet: there are no flows that could go on */
}

static int load(struct net_switch *s, const struct ports *a, size_t from, size_t n, struct err *e)
{
	uint32_t *zone = xalloc(n * sizeof *zone);
	int *fd = xalloc(n * sizeof *fd), r = 0;
	size_t made;

	for (made = 0; made < n; made++) {
		zone[made] = a->list[from + made].zone;
		fd[made] = make_list(s, &a->list[from + made], since(a, from + made), e);
		if (fd[made] < 0) {
			r = fd[made];
			break;
		}
	}
	if (r == 0)
		r = bpf_put_all(s->map[SWM_FW_LISTS], zone, fd, (uint32_t)n, e);
	for (size_t i = 0; i < made; i++)
		close(fd[i]);
	free(fd);
	free(zone);
	return r;
}

bool net_fw_logs(const struct fw_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].log)
			return true;
	return false;
}

/* Zones whose rules log have a log before they have the rules. */
static int logs_on(struct net_switch *s, const struct fw_list *list, size_t n, struct err *e)
{
	_free_ uint32_t *zone = xalloc((n + 1) * sizeof *zone);
	size_t nzones = 0;

	for (size_t i = 0; i < n; i++)
		if (net_fw_logs(&list[i]))
			zone[nzones++] = list[i].zone;
	return net_log_on(s, zone, nzones, e);
}

int net_fw_load(struct net_switch *s, const struct fw_list *list, size_t n, struct err *e)
{
	struct ports a = {.list = list, .n = n};
	size_t step = at_once();
	int r = vnic_each(s, note_port, &a, e);

	if (r == 0)
		r = logs_on(s, list, n, e);
	for (size_t i = 0; r == 0 && i < n; i += step)
		r = load(s, &a, i, n - i < step ? n - i : step, e);
	for (size_t i = 0; r == 0 && i < a.nport; i++)
		r = set_port(s, a.port[i].ifindex, true, e);
	free(a.port);
	return r < 0 ? err_add(e, "firewall") : 0;
}

int net_fw_stop(struct net_switch *s, uint32_t zone, struct err *e)
{
	struct fw_list l = {.zone = zone};
	struct ports a = {.list = &l, .n = 1, .on = true};
	int r = vnic_each(s, note_port, &a, e);

	for (size_t i = 0; r == 0 && i < a.nport; i++)
		r = set_port(s, a.port[i].ifindex, false, e);
	free(a.port);
	if (r == 0)
		r = net_fw_status(s, zone, e);
	if (r > 0)
		r = bpf_del(s->map[SWM_FW_LISTS], &zone, e);
	return r < 0 ? err_add(e, "firewall") : 0;
}

int net_fw_status(struct net_switch *s, uint32_t zone, struct err *e)
{
	struct err miss = ERR_INIT;
	uint32_t id;
	int r = bpf_get(s->map[SWM_FW_LISTS], &zone, &id, &miss);

	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int net_fw_stats(struct net_switch *s, uint32_t zone,
		 int (*each)(const uint8_t rule[16], enum fw_dir, enum fw_action, uint64_t, uint64_t, void *), void *arg, struct err *e)
{
	static const uint8_t none[16];
	_free_ struct sw_rule *list = NULL;
	const struct sw_fw_head *h;
	uint32_t n;
	int r = read_list(s, zone, &list, &n, e);

	if (r <= 0)
		return r;
	/* elements of one entry follow each other, but for what order has put between */
	for (uint32_t i = 1; i < n; i++) {
		uint64_t packets = list[i].packets, bytes = list[i].bytes;
		bool seen = false;

		for (uint32_t j = 1; j < i && !seen; j++)
			seen = memcmp(list[i].rule, list[j].rule, 16) == 0 && is_in(list, i) == is_in(list, j);
		for (uint32_t j = i + 1; j < n; j++)
			if (memcmp(list[i].rule, list[j].rule, 16) == 0 && is_in(list, i) == is_in(list, j)) {
				packets += list[j].packets;
				bytes += list[j].bytes;
			}
		r = seen ? 0 : each(list[i].rule, is_in(list, i) ? FW_IN : FW_OUT, list[i].block ? FW_BLOCK : FW_ALLOW, packets, bytes, arg);
		if (r < 0)
			return r;
	}
	h = (const void *)list;
	r = each(none, FW_IN, FW_BLOCK, h->in_packets, h->in_bytes, arg);
	return r < 0 ? r : each(none, FW_OUT, FW_ALLOW, h->out_packets, h->out_bytes, arg);
}
