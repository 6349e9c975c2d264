/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists of the firewall into the switch's maps. A list is a map of its own, filled before anybody can see it, and takes its place in one
 * write (fw_lists.h).
 */
#include "net/fw.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/fw_lists.h"
#include "net/log.h"
#include "net/vnic.h"

#define SPARE 64 /* descriptors that the program needs for other things */

/* ---- a list that is there ---- */

/* 1 and all of it, or 0. */
static int read_list(struct net_switch *s, uint32_t zone, struct sw_rule **out, uint32_t *n, struct err *e)
{
	struct err miss = ERR_INIT;
	_fd_ int fd = fw_list_open(s, zone, &miss);
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

/* What the kernel gets of a list, with what was counted so far. */
struct made {
	struct sw_rule *rule;
	uint32_t n;
	bool again; /* the zone has one */
};

static int make_list(struct net_switch *s, const struct fw_list *l, uint64_t since, struct made *out, struct err *e)
{
	_free_ struct sw_rule *old = NULL;
	uint32_t nold = 0;
	int r = fw_flat(l, &out->rule, &out->n, e);

	if (r == 0)
		r = read_list(s, l->zone, &old, &nold, e);
	if (r < 0)
		return r;
	((struct sw_fw_head *)out->rule)->since = since;
	out->again = r == 1;
	if (r)
		carry(old, nold, out->rule, out->n);
	return 0;
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

/* Nobody looks into it before it is given to its zone. */
static int fill(int map, const struct made *m, struct err *e)
{
	_free_ uint32_t *keys = xalloc(m->n * sizeof *keys);

	for (uint32_t i = 0; i < m->n; i++)
		keys[i] = i;
	return bpf_put_all(map, keys, m->rule, m->n, e);
}

/* Into lists that are ready: -EAGAIN, there are not so many, or they are too small. */
static int fill_ready(struct net_switch *s, const struct made *m, size_t n, uint32_t *number, struct err *e)
{
	int r = n <= SW_SPARES;

	for (size_t i = 0; r && i < n; i++)
		r = m[i].n <= SW_LIST_ROOM;
	if (r)
		r = fw_list_take(s, number, n, e);
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		_fd_ int fd = bpf_inner(s->map[SWM_FW_LISTS], &number[i], e);

		r = fd < 0 ? fd : fill(fd, &m[i], e);
	}
	return r < 0 ? r : 0;
}

/* Waits for the kernel once, however many. One of a few may be another zone's some time, so that it has that size. */
static int fill_new(struct net_switch *s, const struct made *m, size_t n, uint32_t *number, struct err *e)
{
	int *fd = xalloc(n * sizeof *fd), r = fw_list_numbers(s, number, n, e);
	size_t i;

	for (i = 0; r == 0 && i < n; i++) {
		fd[i] = bpf_array(sizeof *m->rule, n <= SW_SPARES && m[i].n < SW_LIST_ROOM ? SW_LIST_ROOM : m[i].n, e);
		if (fd[i] < 0) {
			r = fd[i];
			break;
		}
		r = fill(fd[i], &m[i], e);
	}
	if (r == 0)
		r = bpf_put_all(s->map[SWM_FW_LISTS], number, fd, (uint32_t)n, e);
	while (i-- > 0)
		close(fd[i]);
	free(fd);
	return r;
}

static int load(struct net_switch *s, const struct ports *a, size_t from, size_t n, struct err *e)
{
	_free_ uint32_t *zone = xalloc(n * sizeof *zone), *number = xalloc(n * sizeof *number);
	struct made *m = xalloc(n * sizeof *m);
	size_t again = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		zone[i] = a->list[from + i].zone;
		r = make_list(s, &a->list[from + i], since(a, from + i), &m[i], e);
		again += m[i].again;
	}
	if (r == 0 && (r = fill_ready(s, m, n, number, e)) == -EAGAIN)
		r = fill_new(s, m, n, number, e);
	if (r == 0)
		r = fw_list_give(s, zone, number, n, again, e);
	for (size_t i = 0; i < n; i++)
		free(m[i].rule);
	free(m);
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

int net_fw_first(struct net_switch *s, const struct fw_list *list, struct err *e)
{
	struct ports a = {.list = list, .n = 1};
	int r = logs_on(s, list, 1, e);

	if (r == 0)
		r = load(s, &a, 0, 1, e);
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
		r = fw_list_leave(s, zone, e);
	return r < 0 ? err_add(e, "firewall") : 0;
}

int net_fw_status(struct net_switch *s, uint32_t zone, struct err *e)
{
	return fw_list_has(s, zone, e);
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
