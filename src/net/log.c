/* SPDX-License-Identifier: MPL-2.0 */
#include "net/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/port.h"

/* Rings that wait to be put in are descriptors. */
#define AT_ONCE 256

static int put(struct net_switch *s, const uint32_t *zone, uint32_t n, struct err *e)
{
	int *fd = xalloc(n * sizeof *fd), r = 0;
	uint32_t made;

	for (made = 0; made < n; made++) {
		fd[made] = bpf_ring(SW_LOG_RING, e);
		if (fd[made] < 0) {
			r = fd[made];
			break;
		}
	}
	if (r == 0)
		r = bpf_put_all(s->map[SWM_LOG_RINGS], zone, fd, n, e);
	for (uint32_t i = 0; i < made; i++)
		close(fd[i]);
	free(fd);
	return r;
}

int net_log_on(struct net_switch *s, const uint32_t *zone, size_t n, struct err *e)
{
	_free_ uint32_t *fresh = xalloc((n + 1) * sizeof *fresh);
	size_t nfresh = 0;
	uint32_t id;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (bpf_get(s->map[SWM_LOG_RINGS], &zone[i], &id, NULL) == -ENOENT)
			fresh[nfresh++] = zone[i];
	for (size_t i = 0; r == 0 && i < nfresh; i += AT_ONCE)
		r = put(s, fresh + i, (uint32_t)(nfresh - i < AT_ONCE ? nfresh - i : AT_ONCE), e);
	return r < 0 ? err_add(e, "log of drops") : 0;
}

int net_log_note(struct net_switch *s, uint32_t zone, const char *path, struct err *e)
{
	_free_ char *text = NULL;
	struct err miss = ERR_INIT;
	uint32_t ring, ports;
	int r = bpf_get(s->map[SWM_LOG_RINGS], &zone, &ring, &miss);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (e)
			*e = miss;
		return r;
	}
	r = bpf_id(s->map[SWM_PORTS], &ports, e);
	if (r < 0)
		return r;
	text = xprintf("%u %u\n", ring, ports);
	r = file_replace(path, text, strlen(text), 0600, 0, e);
	return r < 0 ? r : 1;
}

struct ports {
	uint32_t zone, *ifindex;
	size_t n;
	bool on; /* looked for: those where it is not so */
};

static int note_port(uint32_t ifindex, const struct sw_port *p, const struct sw_count *sum, void *arg)
{
	struct ports *a = arg;

	(void)sum;
	if (p->vnic >> 5 == a->zone && !(p->flags & PORT_LOG) == a->on) {
		a->ifindex = xrealloc(a->ifindex, (a->n + 1) * sizeof *a->ifindex);
		a->ifindex[a->n++] = ifindex;
	}
	return 0;
}

int net_log_ports(struct net_switch *s, uint32_t zone, bool on, struct err *e)
{
	struct ports a = {.zone = zone, .on = on};
	int r = vnic_each(s, note_port, &a, e);

	for (size_t i = 0; r == 0 && i < a.n; i++)
		r = port_flag(s, a.ifindex[i], PORT_LOG, on, e);
	free(a.ifindex);
	return r < 0 ? err_add(e, "log of drops") : 0;
}

/* All buckets of a zone, or of a sender. There are none where nobody logs, and then this is one call. */
static void forget(struct net_switch *s, uint32_t zone, uint32_t from)
{
	struct sw_log_key at, next;
	bool have = false;

	while (bpf_next(s->map[SWM_LOG_USE], have ? &at : NULL, &next, NULL) == 1) {
		if ((zone ? next.zone == zone : next.from == from) && bpf_del(s->map[SWM_LOG_USE], &next, NULL) == 0)
			continue; /* the walk goes on behind the last one that stays */
		at = next;
		have = true;
	}
}

int net_log_drop(struct net_switch *s, uint32_t zone, struct err *e)
{
	uint32_t id;

	if (bpf_get(s->map[SWM_LOG_RINGS], &zone, &id, NULL) == -ENOENT)
		return 0;
	forget(s, zone, 0);
	return bpf_del(s->map[SWM_LOG_RINGS], &zone, e);
}

void net_log_port_gone(struct net_switch *s, uint32_t ifindex)
{
	forget(s, 0, ifindex & SW_LOG_FROM);
}
