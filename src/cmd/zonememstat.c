/* SPDX-License-Identifier: MPL-2.0 */
/* zonememstat: memory of each zone against its cap, in the columns that SmartOS has. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/stat_zones.h"
#include "cmd/zone_arg.h"
#include "stat/use.h"

#define MIB (1024 * 1024)

struct options {
	bool aliases, bare, over, total;
	unsigned alias_width;
	char zone[37];
};

/* rss, cap, nover and pagedout, CGV_UNKNOWN and CGV_NONE as "-". */
struct row {
	uint64_t rss, cap, over, out;
	double swap; /* percent, below 0 = none */
};

static const char *number(uint64_t v, uint64_t unit, char out[24])
{
	if (v >= CGV_NONE)
		return "-";
	snprintf(out, 24, "%" PRIu64, v / unit);
	return out;
}

static void print(const struct options *o, const char *name, const char *alias, const struct row *r)
{
	_buf_ struct buf b = BUF_INIT;
	char rss[24], cap[24], over[24], out[24], swap[24];

	if (o->aliases) {
		buf_puts(&b, " ");
		show_cell(&b, alias ? alias : "-", o->alias_width);
	}
	snprintf(swap, sizeof swap, "%.2f", r->swap);
	printf("%37s%s %8s %8s %6s %9s %5s\n", name, buf_str(&b), number(r->rss, MIB, rss), number(r->cap, MIB, cap),
	       number(r->over, 1, over), number(r->out, MIB, out), r->swap < 0 ? "-" : swap);
}

static void sum(uint64_t *to, uint64_t v)
{
	if (v < CGV_NONE)
		*to = (*to < CGV_NONE ? *to : 0) + v;
}

static void report(const struct options *o, const struct stat_sample *s)
{
	_free_ struct use_line *l = NULL;
	size_t n = use_lines(s, &l);
	struct row all = {l[0].v[USE_MEM], CGV_UNKNOWN, CGV_UNKNOWN, CGV_UNKNOWN, -1};
	struct row global = {l[1].v[USE_MEM], CGV_UNKNOWN, CGV_UNKNOWN, CGV_UNKNOWN, -1};

	use_sort(l, n, USE_ID);
	if (!o->bare && o->aliases)
		printf("%37s %-*s %8s %8s %6s %9s %5s\n", "ZONE", (int)o->alias_width, "ALIAS", "RSS(MB)", "CAP(MB)", "NOVER", "POUT(MB)", "SWAP%");
	else if (!o->bare)
		printf("%37s %8s %8s %6s %9s %5s\n", "ZONE", "RSS(MB)", "CAP(MB)", "NOVER", "POUT(MB)", "SWAP%");
	if (!*o->zone && !o->over)
		print(o, s->part ? "[system]" : "global", NULL, &global);
	for (size_t i = 2; i < n; i++) {
		const struct stat_zone *z = l[i].z;
		struct row r = {z->now[CGV_MEM], z->now[CGV_MEM_CAP], z->now[CGV_MEM_OVER], z->now[CGV_PAGEDOUT], -1};

		sum(&all.cap, r.cap);
		sum(&all.over, r.over);
		sum(&all.out, r.out);
		if (z->now[CGV_BOTH] < CGV_NONE && z->now[CGV_BOTH_CAP] < CGV_NONE && z->now[CGV_BOTH_CAP] > 0)
			r.swap = (double)z->now[CGV_BOTH] * 100 / (double)z->now[CGV_BOTH_CAP];
		if ((!*o->zone || !strcmp(o->zone, z->uuid)) && (!o->over || (r.over < CGV_NONE && r.over > 0)))
			print(o, z->name, z->alias, &r);
	}
	if (o->total)
		print(o, "total", NULL, &all);
}

static int run(struct ctx *c, int argc, char **argv)
{
	_clean_(stat_done) struct stat_sample s = {.z = NULL};
	struct options o = {.alias_width = 12};
	struct err e = ERR_INIT;
	int opt, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+aHotz:")) != -1) {
		switch (opt) {
		case 'a': o.aliases = true; break;
		case 'H': o.bare = true; break;
		case 'o': o.over = true; break;
		case 't': o.total = true; break;
		case 'z':
			r = zone_arg(c, optarg, o.zone, &e);
			break;
		default: return cmd_usage("zonememstat", "", NULL);
		}
	}
	if (optind != argc && r == 0)
		return cmd_usage("zonememstat", "", NULL);
	if (r == 0)
		r = stat_zones_init(c, CGS_MEMORY | CGS_EVENTS | CGS_MEMSTAT, &s, &e);
	if (r == 0)
		r = stat_zones_take(c, &s, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	for (size_t i = 0; i < s.n; i++)
		if (s.z[i]->alias && strlen(s.z[i]->alias) > o.alias_width)
			o.alias_width = (unsigned)strlen(s.z[i]->alias);
	report(&o, &s);
	return 0;
}

CMD(zonememstat, "zonememstat", "", "[-aHot] [-z zone]", "show each zone's memory against its cap", CMD_NONE, run);
