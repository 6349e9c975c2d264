/* SPDX-License-Identifier: MPL-2.0 */
#include "stat/kstat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"

#define NAME_MAX_  256
#define AVENRUN    256  /* illumos's fixed point for load averages */

/* ---- the table ---- */

enum how {
	VALUE,    /* a cg_value times mul, divided by div */
	PSI,      /* a cg_value that is an average */
	ZONENAME, CPU_CAP, CPU_USAGE, CPU_EFFECTIVE, BASELINE, BURST_LIMIT, BURSTING, NWAIT, ABOVE, BELOW, IO_LIMIT, IO_BASE, IO_SPENT, IO_NOW, IO_MAX, BOOTED, INIT, GUEST, /* of a zone */
	BOOT_TIME, CPUS, LWPS, LOAD, PHYSMEM, FREEMEM, AVAIL, SWAPTOTAL, SWAPFREE, /* of the host */
};

struct stat {
	const char *name;
	enum how how;
	unsigned value; /* cg_value; of LOAD and IO_x: which */
	uint64_t mul, div;
	unsigned needs;
};

#include "stat/kstat_tbl.h"

/*
 * By module; in a module by name. name: of the kstat, with the zone's id behind it; NULL: the zone's name. Of things: "" = the thing's
 * own name, NULL = the zone's before it.
 */
static const struct group {
	const char *module, *name, *class;
	bool zone;
	const struct stat *stats;
	size_t n; /* without stats, of one kstat for each thing that a zone has: what is needed for them */
} groups[] = {
#define S(a) a, ARRAY_LEN(a)
	{"caps", "cpucaps_zone_", "zone_caps", true, S(cpucaps)},
	{"caps", "ioburst_zone_", "zone_caps", true, S(iobursts)},
	{"caps", "lwps_zone_", "zone_caps", true, S(lwps)},
	{"caps", "physicalmem_zone_", "zone_caps", true, S(physmem)},
	{"caps", "swapresv_zone_", "zone_caps", true, S(swapresv)},
	{"disk", NULL, "disk", true, NULL, STAT_GUEST}, /* kstat_disk.c */
	{"guest_mem", NULL, "guest_mem", true, S(guest_mem)},
	{"link", NULL, "net", true, NULL, STAT_NET}, /* kstat_link.c */
	{"memory_cap", NULL, "zone_memory_cap", true, S(memory_cap)},
	{"unix", "system_misc", "misc", false, S(system_misc)},
	{"unix", "system_pages", "pages", false, S(system_pages)},
	{"vmm", "", "misc", true, NULL, STAT_VCPU}, /* kstat_vcpu.c */
	{"zone_pressure", NULL, "zone_pressure", true, S(zone_pressure)},
	{"zone_zfs", NULL, "zone_zfs", true, S(zone_zfs)},
	{"zones", NULL, "zone_misc", true, S(zones)},
};

/* The statistics that each kstat has beside its own. */
static const char *const every[] = {"class", "crtime", "snaptime"};

unsigned kstat_needs(const struct kstat_pattern *p, size_t n, bool *rate)
{
	unsigned needs = 0;

	*rate = false;
	for (size_t i = 0; i < n; i++) {
		for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
			if (!kstat_match(&p[i], KS_MODULE, groups[g].module) || !kstat_match(&p[i], KS_CLASS, groups[g].class))
				continue;
			needs |= groups[g].stats ? 0 : (unsigned)groups[g].n;
			for (size_t k = 0; groups[g].stats && k < groups[g].n; k++) {
				if (!kstat_match(&p[i], KS_STAT, groups[g].stats[k].name))
					continue;
				needs |= groups[g].stats[k].needs;
				*rate |= groups[g].stats[k].how == CPU_USAGE || groups[g].stats[k].how == NWAIT;
			}
		}
	}
	return needs;
}

/* ---- values ---- */

static uint64_t percent(uint64_t part, uint64_t whole)
{
	return part >= CGV_NONE || whole >= CGV_NONE || whole == 0 ? CGV_UNKNOWN
								   : (uint64_t)((double)part * 100 / (double)whole + 0.5);
}

/* Seconds that the zone was above its baseline, or below; without one those of the periods in which it was held back, or not. */
static uint64_t periods(const struct stat_zone *z, bool above)
{
	if (z->burst.on)
		return (above ? z->burst.above_ns : z->burst.below_ns) / 1000000000;

	uint64_t all = z->now[CGV_PERIODS], hit = z->now[CGV_THROTTLED], us = z->now[CGV_CPU_PERIOD];

	if (all >= CGV_NONE || hit >= CGV_NONE || us >= CGV_NONE)
		return CGV_UNKNOWN;
	return (above ? hit : all > hit ? all - hit : 0) * us / 1000000;
}

/* Run queues on which threads waited for the cap, as a mean over the interval: so many threads at the least. */
static uint64_t waiting(const struct stat_sample *s, const struct stat_zone *z)
{
	uint64_t us = stat_grown(s, z, CGV_THROTTLED_US), all = (s->now_ns - s->before_ns) / 1000;

	return us >= CGV_NONE || !all ? CGV_UNKNOWN : (us + all / 2) / all;
}

static uint64_t iob(const struct stat_zone *z, const struct stat *k, const uint64_t v[4])
{
	return z->ioburst.max[k->value] ? v[k->value] : CGV_UNKNOWN;
}

/* false: not counted here. */
static bool value_of(const struct stat_sample *s, const struct stat_zone *z, const struct stat *k, struct kstat_item *it)
{
	uint64_t v = CGV_UNKNOWN;

	it->kind = KV_NUMBER;
	switch (k->how) {
	case VALUE: v = z->now[k->value]; break;
	case PSI:
		it->kind = KV_PERCENT;
		v = z->now[k->value];
		break;
	case ZONENAME:
		it->kind = KV_TEXT;
		it->text = z->name ? z->name : z->uuid;
		return true;
	case CPU_CAP:
		v = z->burst.on ? (z->burst.cap ?: CGV_NONE) : percent(z->now[CGV_CPU_QUOTA], z->now[CGV_CPU_PERIOD]);
		break;
	case BASELINE: v = z->burst.on ? z->burst.baseline : CGV_UNKNOWN; break;
	case BURST_LIMIT: v = z->burst.on ? z->burst.limit_ns / 1000000000 : CGV_UNKNOWN; break;
	case BURSTING: v = z->burst.on ? z->burst.spent_ns / 1000000000 : CGV_UNKNOWN; break;
	case IO_LIMIT: v = z->ioburst.limit_s; break;
	case IO_BASE: v = iob(z, k, z->ioburst.base); break;
	case IO_SPENT: v = iob(z, k, z->ioburst.spent_s); break;
	case IO_NOW: v = iob(z, k, z->ioburst.now); break;
	case IO_MAX: v = iob(z, k, z->ioburst.max); break;
	case NWAIT: v = waiting(s, z); break;
	case CPU_EFFECTIVE: v = z->now[CGV_CPU_QUOTA] == CGV_NONE ? CGV_NONE : percent(z->now[CGV_CPU_QUOTA], z->now[CGV_CPU_PERIOD]); break;
	case CPU_USAGE: v = percent(stat_grown(s, z, CGV_CPU), (s->now_ns - s->before_ns) / 1000); break;
	case ABOVE: v = periods(z, true); break;
	case BELOW: v = periods(z, false); break;
	case BOOTED: v = z->boot_ns / 1000000000; break;
	case INIT: v = (uint64_t)z->init; break;
	case GUEST: v = z->guest && z->guest->mem[k->value] != GUEST_NONE ? z->guest->mem[k->value] : CGV_UNKNOWN; break;
	case BOOT_TIME: v = s->host.boot_s; break;
	case CPUS: v = s->host.cpus; break;
	case LWPS: v = s->host.lwps; break;
	case LOAD: v = s->host.load[k->value] * AVENRUN / 100; break;
	case PHYSMEM: v = s->host.mem_total; break;
	case FREEMEM: v = s->host.mem_free; break;
	case AVAIL: v = s->host.mem_available; break;
	case SWAPTOTAL: v = s->host.swap_total; break;
	case SWAPFREE: v = s->host.swap_free; break;
	}
	if (v == CGV_UNKNOWN || (v == CGV_NONE && it->kind == KV_PERCENT))
		return false;
	it->number = v == CGV_NONE ? UINT64_MAX : v * k->mul / k->div; /* no limit is UINT64_MAX there */
	return true;
}

/* ---- the walk ---- */

struct walk {
	const struct stat_sample *s;
	const struct kstat_pattern *p;
	size_t n;
	uint64_t wall_ns;
	int (*each)(const struct kstat_item *, void *);
	void *arg;
	bool *on; /* the patterns that match all but the statistic */
};

static int offer(const struct walk *w, const struct kstat_item *it)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->on[i] && kstat_match(&w->p[i], KS_STAT, it->stat))
			return w->each(it, w->arg);
	return 0;
}

/* Seconds since boot at which the zone was booted. */
static uint64_t crtime(const struct walk *w, const struct stat_zone *z)
{
	uint64_t age = z && w->wall_ns > z->boot_ns ? w->wall_ns - z->boot_ns : 0;

	return !z ? 0 : w->s->now_ns > age ? w->s->now_ns - age : 0;
}

/* One kstat: its own statistics and those that each has, in one alphabetical order. */
static int statistics(const struct walk *w, const struct group *g, const struct stat_zone *z, struct kstat_item *it)
{
	size_t a = 0, b = 0;
	int r = 0;

	/* a zone without cap and baseline has no caps:*:cpucaps_zone_*, as on illumos */
	if (g->stats == cpucaps && z->now[CGV_CPU_QUOTA] == CGV_NONE && !z->burst.on)
		return 0;
	if ((g->stats == iobursts && !z->ioburst.limit_s) || (g->stats == guest_mem && !z->guest))
		return 0;
	while (r >= 0 && (a < g->n || b < ARRAY_LEN(every))) {
		bool own = b == ARRAY_LEN(every) || (a < g->n && strcmp(g->stats[a].name, every[b]) < 0);

		it->stat = own ? g->stats[a].name : every[b];
		if (!own) {
			it->kind = b == 0 ? KV_TEXT : KV_SECONDS;
			it->text = g->class;
			it->number = b == 1 ? crtime(w, z) : w->s->now_ns;
		}
		if (!own || value_of(w->s, z, &g->stats[a], it))
			r = offer(w, it);
		if (own)
			a++;
		else
			b++;
	}
	return r;
}

static int kstat(const struct walk *w, const struct group *g, const struct stat_zone *z)
{
	char name[NAME_MAX_], instance[24];
	struct kstat_item it = {.module = g->module, .class = g->class, .name = name, .instance = z ? z->zoneid : 0,
				.snaptime = (double)w->s->now_ns / 1e9};
	bool any = false;

	snprintf(instance, sizeof instance, "%" PRIu64, it.instance);
	if (!g->zone)
		snprintf(name, sizeof name, "%s", g->name);
	else if (g->name)
		snprintf(name, sizeof name, "%s%s", g->name, instance);
	else
		snprintf(name, sizeof name, "%s", z->name ? z->name : z->uuid);
	for (size_t i = 0; i < w->n; i++) {
		w->on[i] = kstat_match(&w->p[i], KS_MODULE, g->module) && kstat_match(&w->p[i], KS_INSTANCE, instance) &&
			   kstat_match(&w->p[i], KS_CLASS, g->class) && kstat_match_name(&w->p[i], name);
		any |= w->on[i];
	}
	return any ? statistics(w, g, z, &it) : 0;
}

static int by_link(const void *a, const void *b)
{
	return strcmp(((const struct stat_link *)a)->name, ((const struct stat_link *)b)->name);
}

/* One of the things that a zone, or the global one, has: false = no pattern is for it. */
static bool thing(const struct walk *w, const struct group *g, const struct stat_zone *z, const char *what, char name[NAME_MAX_], struct kstat_item *it)
{
	char instance[24];
	bool any = false;

	*it = (struct kstat_item){.module = g->module, .class = g->class, .name = name, .instance = z ? z->zoneid : 0,
				  .snaptime = (double)w->s->now_ns / 1e9};
	snprintf(instance, sizeof instance, "%" PRIu64, it->instance);
	if (z && !g->name)
		snprintf(name, NAME_MAX_, "%s_%s", z->name ?: z->uuid, what);
	else
		snprintf(name, NAME_MAX_, "%s", what);
	for (size_t k = 0; k < w->n; k++) {
		w->on[k] = kstat_match(&w->p[k], KS_MODULE, g->module) && kstat_match(&w->p[k], KS_INSTANCE, instance) &&
			   kstat_match(&w->p[k], KS_CLASS, g->class) && kstat_match_name(&w->p[k], name);
		any |= w->on[k];
	}
	return any;
}

/* What each kstat has, filled in. */
static int offer_thing(const struct walk *w, const struct group *g, const struct stat_zone *z, struct kstat_item *it)
{
	if (it->kind == KV_TEXT)
		it->text = it->stat[0] == 'c' ? g->class : z ? z->name ?: z->uuid : "global";
	else if (it->kind == KV_SECONDS)
		it->number = it->stat[0] == 'c' ? crtime(w, z) : w->s->now_ns;
	else if (it->number == GUEST_NONE)
		return 0;
	return offer(w, it);
}

static int links(const struct walk *w, const struct group *g, const struct stat_zone *z)
{
	const struct stat_links *l = z ? &z->net : &w->s->net;
	char name[NAME_MAX_], text[40];
	unsigned order[DROP_REASONS];
	struct kstat_item it;
	int r = 0;

	if (l->n) {
		qsort(l->l, l->n, sizeof *l->l, by_link);
		kstat_link_order(order);
	}
	for (size_t i = 0; r >= 0 && i < l->n; i++)
		if (thing(w, g, z, l->l[i].name, name, &it))
			for (unsigned k = 0; r >= 0 && kstat_link_stat(k, order, &l->l[i].n, &it, text); k++)
				r = offer_thing(w, g, z, &it);
	return r;
}

static int disks(const struct walk *w, const struct group *g, const struct stat_zone *z)
{
	char name[NAME_MAX_];
	struct kstat_item it;
	int r = 0;

	for (size_t i = 0; z && z->guest && r >= 0 && i < z->guest->n; i++)
		if (thing(w, g, z, z->guest->d[i].name, name, &it))
			for (unsigned k = 0; r >= 0 && kstat_disk_stat(k, &z->guest->d[i], &it); k++)
				r = offer_thing(w, g, z, &it);
	return r;
}

/* Each of a machine's processors by name, and behind them all together. */
static int vcpus(const struct walk *w, const struct group *g, const struct stat_zone *z)
{
	const struct stat_vcpus *c = z ? &z->vcpus : NULL;
	char name[NAME_MAX_];
	struct kstat_item it;
	int r = 0;

	for (size_t i = 0; c && c->n && r >= 0 && i <= c->n; i++) {
		char what[24] = "vm";

		if (i < c->n)
			stat_vcpu_name(&c->v[i], what);
		if (thing(w, g, z, what, name, &it))
			for (unsigned k = 0; r >= 0 && kstat_vcpu_stat(k, c, i, &it); k++)
				r = offer_thing(w, g, z, &it);
	}
	return r;
}

static int things(const struct walk *w, const struct group *g, const struct stat_zone *z)
{
	return g->n == STAT_NET ? links(w, g, z) : g->n == STAT_VCPU ? vcpus(w, g, z) : disks(w, g, z);
}

static int by_id(const void *x, const void *y)
{
	const struct stat_zone *a = *(struct stat_zone *const *)x, *b = *(struct stat_zone *const *)y;

	return (a->zoneid > b->zoneid) - (a->zoneid < b->zoneid);
}

int kstat_each(const struct stat_sample *s, const struct kstat_pattern *p, size_t n,
	       int (*each)(const struct kstat_item *, void *arg), void *arg)
{
	_free_ struct stat_zone **z = xalloc((s->n + 1) * sizeof *z);
	_free_ bool *on = xalloc((n + 1) * sizeof *on);
	struct walk w = {.s = s, .p = p, .n = n, .wall_ns = clock_wall_ns(), .each = each, .arg = arg, .on = on};
	int r = 0;

	if (s->n)
		memcpy(z, s->z, s->n * sizeof *z);
	qsort(z, s->n, sizeof *z, by_id);
	for (size_t g = 0, next; r >= 0 && g < ARRAY_LEN(groups); g = next) {
		for (next = g + 1; next < ARRAY_LEN(groups) && !strcmp(groups[next].module, groups[g].module);)
			next++;
		if (!groups[g].stats) {
			r = things(&w, &groups[g], NULL);
			for (size_t i = 0; r >= 0 && i < s->n; i++)
				r = things(&w, &groups[g], z[i]);
			continue;
		}
		for (size_t i = 0; r >= 0 && i < (groups[g].zone ? s->n : 1); i++)
			for (size_t k = g; r >= 0 && k < next; k++)
				r = kstat(&w, &groups[k], groups[k].zone ? z[i] : NULL);
	}
	return r < 0 ? r : 0;
}
