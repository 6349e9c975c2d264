/* SPDX-License-Identifier: MPL-2.0 */
/* All ports with what they counted. Two calls to the kernel for each 512 and one for all traffic, since this is done every second for a thousand zones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/traffic.h"
#include "net/vnic.h"

#define AT_ONCE 512

/* A whole map: keys are interface indexes. */
struct all {
	uint32_t *key;
	char *value;
	size_t size; /* of a value */
	uint32_t n;
};

static void all_done(struct all *a)
{
	free(a->key);
	free(a->value);
}

static int read_all(int map, struct all *a, struct err *e)
{
	uint32_t place = 0, room = AT_ONCE;
	int r = 1;

	for (bool first = true; r == 1; first = false) {
		uint32_t n;

		do {
			n = room;
			a->key = xrealloc(a->key, (a->n + n) * sizeof *a->key);
			a->value = xrealloc(a->value, (a->n + n) * a->size);
			r = bpf_batch(map, a->key + a->n, a->value + a->n * a->size, &n, &place, first, e);
			room *= r == -ENOSPC ? 2 : 1;
		} while (r == -ENOSPC && room < SW_PORTS);
		if (r < 0)
			return r;
		a->n += n;
	}
	return 0;
}

static uint64_t *slots(const struct all *a, uint32_t *mask)
{
	uint32_t size = 64;
	uint64_t *slot;

	while (size < a->n * 2)
		size *= 2;
	*mask = size - 1;
	slot = xalloc(size * sizeof *slot);
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t at = a->key[i] & *mask;

		while (slot[at])
			at = (at + 1) & *mask;
		slot[at] = (uint64_t)(i + 1) << 32 | a->key[i];
	}
	return slot;
}

static void add_up(const char *values, int cpus, struct sw_count *sum)
{
	uint64_t *to = (void *)sum;

	for (int i = 0; i < cpus; i++) {
		const uint64_t *from = (const void *)(values + (size_t)i * sizeof *sum);

		for (size_t j = 0; j < sizeof *sum / sizeof *to; j++)
			to[j] += from[j];
	}
}

static int read_traffic(int map, const struct all *ports, struct traffic *out, struct err *e)
{
	uint32_t first = SW_TRAFFIC, last = 0;

	for (uint32_t i = 0; i < ports->n; i++) {
		struct sw_port p;
		uint32_t place;

		memcpy(&p, ports->value + i * ports->size, sizeof p);
		place = SW_PLACE(p.flags);
		if (place && place < first)
			first = place;
		if (place > last)
			last = place;
	}
	return traffic_read(map, first, last, out, e);
}

int vnic_each(struct net_switch *s, int (*each)(uint32_t, const struct sw_port *, const struct sw_count *, void *), void *arg, struct err *e)
{
	int cpus = bpf_cpus(), r;
	_clean_(all_done) struct all ports = {.size = sizeof(struct sw_port)}, counts = {.size = (size_t)cpus * sizeof(struct sw_count)};
	_clean_(traffic_done) struct traffic traffic = {.t = NULL};
	_free_ uint64_t *slot = NULL;
	uint32_t mask;

	r = read_all(s->map[SWM_PORTS], &ports, e);
	if (r == 0)
		r = read_all(s->map[SWM_COUNTERS], &counts, e);
	if (r == 0)
		r = read_traffic(s->map[SWM_TRAFFIC], &ports, &traffic, e);
	if (r < 0)
		return r;
	slot = slots(&counts, &mask);
	for (uint32_t i = 0; i < ports.n; i++) {
		struct sw_count sum = {0};
		struct sw_port p;

		memcpy(&p, ports.value + i * ports.size, sizeof p);
		for (uint32_t at = ports.key[i] & mask; slot[at]; at = (at + 1) & mask)
			if ((uint32_t)slot[at] == ports.key[i]) {
				add_up(counts.value + ((slot[at] >> 32) - 1) * counts.size, cpus, &sum);
				break;
			}
		traffic_add(&traffic, p.flags, &sum);
		r = each(ports.key[i], &p, &sum, arg);
		if (r < 0)
			return r;
	}
	return 0;
}
