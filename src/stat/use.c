/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/use.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool known(uint64_t v)
{
	return v < CGV_NONE;
}

/* part of whole, in `units` of the whole; nothing of nothing is not known. */
static uint64_t ratio(uint64_t part, uint64_t whole, uint64_t units)
{
	if (!known(part) || !known(whole) || whole == 0)
		return CGV_UNKNOWN;
	return (uint64_t)((double)part * (double)units / (double)whole + 0.5);
}

static uint64_t a_second(uint64_t grown, uint64_t ns)
{
	return ratio(grown, ns, 1000000000);
}

/* The columns of which [total] is the sum of the others. */
static const enum use_col sums[] = {USE_CPU, USE_MEM, USE_SWAP, USE_LWPS, USE_READ, USE_WRITTEN, USE_READS, USE_WRITES};
/* As host_stat.io has them too. */
static const struct {
	enum use_col col;
	enum cg_value value;
} rates[] = {{USE_READ, CGV_READ}, {USE_WRITTEN, CGV_WRITTEN}, {USE_READS, CGV_READS}, {USE_WRITES, CGV_WRITES}};
static const enum use_col psi[] = {USE_PSI_CPU, USE_PSI_MEM, USE_PSI_IO};

static void clear(struct use_line *l, const char *name, const struct stat_zone *z)
{
	*l = (struct use_line){.z = z, .name = name};
	for (int i = 0; i < USE_COLS; i++)
		l->v[i] = CGV_UNKNOWN;
}

static void zone_line(const struct stat_sample *s, const struct stat_zone *z, uint64_t ns, uint64_t all_shares, struct use_line *l)
{
	uint64_t cap = CGV_NONE;

	clear(l, z->alias ? z->alias : z->name ? z->name : z->uuid, z);
	l->v[USE_ID] = z->zoneid;
	/* microseconds in ns, as thousandths of a processor */
	l->v[USE_CPU] = ratio(stat_grown(s, z, CGV_CPU), ns, 1000000);
	if (known(z->now[CGV_CPU_QUOTA]))
		cap = ratio(z->now[CGV_CPU_QUOTA], z->now[CGV_CPU_PERIOD], 1000);
	l->v[USE_CPU_CAP] = ratio(l->v[USE_CPU], cap, 1000);
	if (known(z->now[CGV_CPU_SHARES]) && !s->part)
		l->v[USE_CPU_SHARE] = ratio(l->v[USE_CPU], ratio(z->now[CGV_CPU_SHARES], all_shares, 1000ULL * s->host.cpus), 1000);
	l->v[USE_MEM] = z->now[CGV_MEM];
	l->v[USE_MEM_LIMIT] = z->now[CGV_MEM_CAP];
	l->v[USE_MEM_CAP] = ratio(z->now[CGV_MEM], z->now[CGV_MEM_CAP], 1000);
	l->v[USE_SWAP] = z->now[CGV_SWAP];
	l->v[USE_LWPS] = z->now[CGV_LWPS];
	l->v[USE_LWPS_LIMIT] = z->now[CGV_LWPS_CAP];
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
		l->v[rates[i].col] = a_second(stat_grown(s, z, rates[i].value), ns);
	for (int i = 0; i < 3; i++)
		l->v[psi[i]] = z->now[CGV_PSI_CPU + 8 * i];
	for (int i = 0; i < 2; i++)
		l->v[USE_RECEIVED + i] = a_second(stat_net_grown(s, &z->net, i), ns);
	l->v[USE_STEAL] = ratio(stat_steal_grown(s, z), ns, 1000);
}

/* What passed between VNICs, the global zone's among them, is all that is counted: [system] is what that one's carried. */
static void net_lines(const struct stat_sample *s, uint64_t ns, struct use_line *total, struct use_line *system)
{
	for (int i = 0; i < 2; i++) {
		uint64_t all = stat_net_grown(s, &s->net, i);

		system->v[USE_RECEIVED + i] = a_second(all, ns);
		for (size_t k = 0; k < s->n && known(all); k++)
			all += stat_net_grown(s, &s->z[k]->net, i);
		total->v[USE_RECEIVED + i] = a_second(all, ns);
	}
}

static void total_line(const struct stat_sample *s, uint64_t ns, struct use_line *l)
{
	const struct host_stat *h = &s->host;

	clear(l, "[total]", NULL);
	if (s->rounds >= 2 && h->cpu_us >= s->host_before.cpu_us)
		l->v[USE_CPU] = ratio(h->cpu_us - s->host_before.cpu_us, ns, 1000000);
	for (size_t i = 0; i < 4 && s->rounds >= 2 && (s->groups & CGS_IO); i++)
		if (known(h->io[i]) && h->io[i] >= s->host_before.io[i])
			l->v[rates[i].col] = a_second(h->io[i] - s->host_before.io[i], ns);
	l->v[USE_MEM] = h->mem_total > h->mem_free ? h->mem_total - h->mem_free : 0;
	l->v[USE_MEM_LIMIT] = h->mem_total;
	l->v[USE_MEM_CAP] = ratio(l->v[USE_MEM], h->mem_total, 1000);
	l->v[USE_SWAP] = h->swap_total > h->swap_free ? h->swap_total - h->swap_free : 0;
	l->v[USE_LWPS] = h->lwps;
	for (int i = 0; i < 3; i++)
		l->v[psi[i]] = h->pressure[8 * i];
}

size_t use_lines(const struct stat_sample *s, struct use_line **out)
{
	uint64_t ns = s->now_ns - s->before_ns, shares = 0;
	size_t n = s->n + 2;
	struct use_line *l = xalloc(n * sizeof *l), *total = &l[0], *system = &l[1];

	for (size_t i = 0; i < s->n; i++)
		if (known(s->z[i]->now[CGV_CPU_SHARES]))
			shares += s->z[i]->now[CGV_CPU_SHARES];
	total_line(s, ns, total);
	clear(system, "[system]", NULL);
	net_lines(s, ns, total, system);
	for (size_t i = 0; i < s->n; i++)
		zone_line(s, s->z[i], ns, shares, &l[i + 2]);
	for (size_t c = 0; c < sizeof sums / sizeof sums[0]; c++) {
		uint64_t zones = 0, *t = &total->v[sums[c]];
		bool io = c >= 4, counted = !io || n == 2;

		for (size_t i = 2; i < n; i++) {
			counted |= known(l[i].v[sums[c]]);
			if (known(l[i].v[sums[c]]))
				zones += l[i].v[sums[c]];
		}
		/* where no zone's I/O is counted, what is no zone's is not known either */
		if (!known(*t) || !counted)
			continue;
		/* the host counts processor time in ticks, zones in nanoseconds: their sum may be ahead of it by one */
		if (*t < zones)
			*t = zones;
		system->v[sums[c]] = *t - zones;
	}
	for (size_t i = 0; i < n; i++)
		l[i].v[USE_CPU_HOST] = ratio(l[i].v[USE_CPU], 1000ULL * s->host.cpus, 1000);
	*out = l;
	return n;
}

static uint64_t weight(const struct use_line *l, enum use_col by)
{
	uint64_t a = l->v[by], b = by == USE_READ ? l->v[USE_WRITTEN] : by == USE_RECEIVED ? l->v[USE_SENT] : 0;

	if (by == USE_PSI_CPU)
		for (int i = 1; i < 3; i++)
			a = known(l->v[psi[i]]) && (!known(a) || l->v[psi[i]] > a) ? l->v[psi[i]] : a;
	return (known(a) ? a : 0) + (known(b) ? b : 0);
}

static int order(const void *x, const void *y, void *arg)
{
	const struct use_line *a = x, *b = y;
	enum use_col by = *(enum use_col *)arg;

	if (by != USE_NAME) {
		uint64_t wa = weight(a, by), wb = weight(b, by);

		if (wa != wb)
			return (wa < wb) == (by != USE_ID) ? 1 : -1;
	}
	return strcmp(a->name, b->name) ?: strcmp(a->z->uuid, b->z->uuid);
}

void use_sort(struct use_line *l, size_t n, enum use_col by)
{
	if (n > 2)
		qsort_r(l + 2, n - 2, sizeof *l, order, &by);
}
