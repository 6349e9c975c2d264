/* SPDX-License-Identifier: MPL-2.0 */
/* What the zones' VNICs carried. They come in any order, some hundred thousand a minute: a zone is found by its id in a sorted list. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "stat/sample.h"

static void round_of(struct stat_links *l)
{
	l->before[0] = l->now[0];
	l->before[1] = l->now[1];
	l->now[0] = l->now[1] = 0;
	l->n = 0;
}

static int by_id(const void *x, const void *y)
{
	const struct stat_zone *a = *(struct stat_zone *const *)x, *b = *(struct stat_zone *const *)y;

	return (a->zoneid > b->zoneid) - (a->zoneid < b->zoneid);
}

void stat_links_begin(struct stat_sample *s)
{
	for (size_t i = 0; i < s->n; i++)
		round_of(&s->z[i]->net);
	round_of(&s->net);
	s->netted = true;
	s->ids = xrealloc(s->ids, (s->n + 1) * sizeof *s->ids);
	if (s->n)
		memcpy(s->ids, s->z, s->n * sizeof *s->ids);
	qsort(s->ids, s->n, sizeof *s->ids, by_id);
}

static struct stat_zone *find(const struct stat_sample *s, uint64_t zoneid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		/* a port's number has the lowest 27 bits of it */
		uint64_t id = s->ids[mid]->zoneid & ((1u << 27) - 1);

		if (id == zoneid)
			return s->ids[mid];
		if (id < zoneid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void stat_link(struct stat_sample *s, uint64_t zoneid, const char *name, const struct sw_count *n)
{
	struct stat_zone *z = zoneid ? find(s, zoneid) : NULL;
	struct stat_links *l = zoneid ? z ? &z->net : NULL : &s->net;

	if (!l)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 1;
		l->l = xrealloc(l->l, l->cap * sizeof *l->l);
	}
	l->l[l->n].n = *n;
	memcpy(l->l[l->n].name, name, sizeof l->l->name);
	l->l[l->n++].name[sizeof l->l->name - 1] = 0;
	l->now[0] += n->rbytes;
	l->now[1] += n->obytes;
}

uint64_t stat_net_grown(const struct stat_sample *s, const struct stat_links *l, int way)
{
	if (s->rounds < 2 || !s->netted)
		return CGV_UNKNOWN;
	/* less than before: a NIC has gone, with what it had counted */
	return l->now[way] > l->before[way] ? l->now[way] - l->before[way] : 0;
}
