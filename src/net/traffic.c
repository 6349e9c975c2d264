/* SPDX-License-Identifier: MPL-2.0 */
#include "net/traffic.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/own.h"
#include "kern/bpf.h"

#define TRIES 64

/* Nothing is given back: a place is free when whose it was has gone, or has another. */
static bool is_free(const struct net_switch *s, uint32_t place)
{
	uint32_t owner = 0;
	struct sw_port p;
	int r = bpf_get(s->map[SWM_TRAFFIC_PORTS], &place, &owner, NULL);

	if (r == 0 && owner)
		r = bpf_get(s->map[SWM_PORTS], &owner, &p, NULL);
	return owner ? r == -ENOENT || (r == 0 && SW_PLACE(p.flags) != place) : r == 0;
}

/* Interface indexes count up: a place that has just become free is the last to be taken again. */
uint32_t traffic_place(struct net_switch *s, uint32_t ifindex)
{
	_free_ struct sw_traffic *zero = calloc((size_t)bpf_cpus(), sizeof *zero);

	for (uint32_t i = 0; zero && i < TRIES; i++) {
		uint32_t place = (ifindex + i) % SW_TRAFFIC;

		if (place == 0 || !is_free(s, place))
			continue;
		if (bpf_put(s->map[SWM_TRAFFIC], &place, zero, NULL) < 0 || bpf_put(s->map[SWM_TRAFFIC_PORTS], &place, &ifindex, NULL) < 0)
			return 0;
		return place << SW_PLACE_SHIFT;
	}
	return 0;
}

int traffic_read(int map, uint32_t first, uint32_t last, struct traffic *out, struct err *e)
{
	uint32_t place = first - 1, n = last - first + 1;
	_free_ uint32_t *key = NULL;
	int r;

	*out = (struct traffic){.cpus = bpf_cpus()};
	if (!last)
		return 0;
	if (!first || last < first || last >= SW_TRAFFIC)
		return err_set(e, EBADMSG, "a port's place for its traffic is %u, and there are %d", last, SW_TRAFFIC);
	key = xalloc(n * sizeof *key);
	out->t = xalloc((size_t)n * (size_t)out->cpus * sizeof *out->t);
	r = bpf_batch(map, key, out->t, &n, &place, false, e);
	if (r < 0) {
		traffic_done(out);
		return r;
	}
	out->first = first;
	out->n = n;
	return 0;
}

void traffic_done(struct traffic *t)
{
	free(t->t);
	*t = (struct traffic){.t = NULL};
}

void traffic_add(const struct traffic *t, uint32_t flags, struct sw_count *sum)
{
	uint32_t i = SW_PLACE(flags) - t->first;

	if (!SW_PLACE(flags) || SW_PLACE(flags) < t->first || i >= t->n)
		return;
	for (int cpu = 0; cpu < t->cpus; cpu++) {
		const struct sw_traffic *one = &t->t[i * (size_t)t->cpus + (size_t)cpu];

		sum->opackets += one->opackets;
		sum->obytes += one->obytes;
		sum->rpackets += one->rpackets;
		sum->rbytes += one->rbytes;
	}
}
