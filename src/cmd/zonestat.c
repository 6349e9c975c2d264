/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zonestat: what each zone uses, against its share, its cap and the host. One table of columns makes the text, the
 * lines for programs and the JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/stat_zones.h"
#include "cmd/zone_arg.h"
#include "stat/use.h"

enum unit { TEXT, COUNT, BYTES, PER_MILLE, MILLI, CENTI };

static const struct column {
	const char *name;   /* -o, -s, -p, JSON */
	const char *header;
	int width;
	enum { PLAIN, EXTRA, ASKED } shown; /* always, with -x, with -o only */
	enum unit unit;
	unsigned needs;     /* CGS_* beside those that every report needs */
} columns[USE_COLS] = {
	[USE_NAME] = {"name", "ZONE", 20, PLAIN, TEXT},
	[USE_UUID] = {"uuid", "UUID", 36, ASKED, TEXT},
	[USE_ID] = {"zoneid", "ID", 6, ASKED, COUNT},
	[USE_CPU] = {"cpu", "CPU", 7, PLAIN, MILLI},
	[USE_CPU_HOST] = {"cpu_host", "%HOST", 6, PLAIN, PER_MILLE},
	[USE_CPU_CAP] = {"cpu_cap", "%CAP", 6, PLAIN, PER_MILLE},
	[USE_CPU_SHARE] = {"cpu_share", "%SHARE", 6, PLAIN, PER_MILLE},
	[USE_MEM] = {"memory", "MEM", 6, PLAIN, BYTES},
	[USE_MEM_LIMIT] = {"memory_limit", "MEMCAP", 7, ASKED, BYTES},
	[USE_MEM_CAP] = {"memory_cap", "%CAP", 6, PLAIN, PER_MILLE},
	[USE_SWAP] = {"swap", "SWAP", 6, PLAIN, BYTES},
	[USE_LWPS] = {"lwps", "LWPS", 6, PLAIN, COUNT},
	[USE_LWPS_LIMIT] = {"lwps_limit", "MAXLWP", 7, ASKED, COUNT},
	[USE_READ] = {"read", "READ", 6, EXTRA, BYTES, CGS_IO},
	[USE_WRITTEN] = {"written", "WRITE", 6, EXTRA, BYTES, CGS_IO},
	[USE_READS] = {"reads", "READS", 7, ASKED, COUNT, CGS_IO},
	[USE_WRITES] = {"writes", "WRITES", 7, ASKED, COUNT, CGS_IO},
	[USE_PSI_CPU] = {"pressure_cpu", "P:CPU", 6, EXTRA, CENTI, CGS_PRESSURE},
	[USE_PSI_MEM] = {"pressure_memory", "P:MEM", 6, EXTRA, CENTI, CGS_PRESSURE},
	[USE_PSI_IO] = {"pressure_io", "P:IO", 6, EXTRA, CENTI, CGS_PRESSURE},
	[USE_RECEIVED] = {"received", "RECV", 6, EXTRA, BYTES, STAT_NET},
	[USE_SENT] = {"sent", "SENT", 6, EXTRA, BYTES, STAT_NET},
	[USE_STEAL] = {"steal", "STEAL", 6, EXTRA, MILLI, STAT_VCPU},
};

/* Words for -s beside the columns' own. */
static const struct {
	const char *word;
	enum use_col col;
} sort_words[] = {{"mem", USE_MEM}, {"rss", USE_MEM}, {"io", USE_READ}, {"net", USE_RECEIVED}, {"pressure", USE_PSI_CPU}, {"zone", USE_NAME}, {"id", USE_ID}};

struct options {
	enum use_col col[USE_COLS], sort;
	unsigned ncols, groups;
	bool parse, json, bare, extra;
	char (*zone)[37];
	unsigned nzones;
};

static int column_of(const char *word)
{
	for (int i = 0; i < USE_COLS; i++)
		if (!strcmp(columns[i].name, word))
			return i;
	return -1;
}

static int sort_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(sort_words); i++)
		if (!strcmp(sort_words[i].word, word))
			return (int)sort_words[i].col;
	return column_of(word);
}

/* A number for people (machine = false) or for programs; unknown and unlimited as "-". */
static const char *cell(enum unit u, uint64_t v, bool machine, char out[32])
{
	if (v >= CGV_NONE)
		return "-";
	switch (u) {
	case BYTES:
		if (!machine)
			return str_from_bytes(v, out);
		__attribute__((fallthrough));
	case TEXT:
	case COUNT: snprintf(out, 32, "%" PRIu64, v); break;
	case MILLI: snprintf(out, 32, "%" PRIu64 ".%03" PRIu64, v / 1000, v % 1000); break;
	case PER_MILLE: snprintf(out, 32, "%" PRIu64 ".%" PRIu64, v / 10, v % 10); break;
	case CENTI: snprintf(out, 32, "%" PRIu64 ".%02" PRIu64, v / 100, v % 100); break;
	}
	return out;
}

static const char *text_of(const struct use_line *l, enum use_col c)
{
	return c == USE_NAME ? l->name : l->z ? l->z->uuid : "-";
}

static void line(const struct options *o, const struct use_line *l, struct buf *out)
{
	char t[32];

	for (unsigned i = 0; i < o->ncols; i++) {
		enum use_col c = o->col[i];
		const struct column *k = &columns[c];
		const char *s = k->unit == TEXT ? text_of(l, c) : cell(k->unit, l->v[c], o->parse, t);

		if (o->parse) {
			buf_puts(out, i ? ":" : "");
			for (; *s; s++) {
				char ch = (unsigned char)*s < ' ' || *s == 127 ? '?' : *s;

				if (ch == ':' || ch == '\\')
					buf_puts(out, "\\");
				buf_add(out, &ch, 1);
			}
			continue;
		}
		buf_puts(out, i ? " " : "");
		if (k->unit == TEXT)
			show_cell(out, s, (unsigned)k->width);
		else
			buf_printf(out, "%*s", k->width, s);
	}
	if (!o->parse)
		show_trim(out);
	buf_puts(out, "\n");
}

static void header(const struct options *o, struct buf *out)
{
	for (unsigned i = 0; i < o->ncols; i++) {
		const struct column *k = &columns[o->col[i]];

		buf_printf(out, "%s%*s", i ? " " : "", k->unit == TEXT ? -k->width : k->width, k->header);
	}
	show_trim(out);
	buf_puts(out, "\n");
}

static void object(const struct options *o, const struct use_line *l, struct buf *out)
{
	const char *sep = "";

	buf_puts(out, "{");
	for (unsigned i = 0; i < o->ncols; i++) {
		enum use_col c = o->col[i];
		const struct column *k = &columns[c];
		uint64_t v = l->v[c];

		/* what is not known is absent */
		if (k->unit == TEXT ? !l->z && c != USE_NAME : v >= CGV_NONE)
			continue;
		buf_printf(out, "%s\"%s\":", sep, k->name);
		sep = ",";
		switch (k->unit) {
		case TEXT: show_quoted(out, text_of(l, c)); break;
		case MILLI: show_real(out, (double)v / 1000, 12); break;
		case PER_MILLE: show_real(out, (double)v / 10, 12); break;
		case CENTI: show_real(out, (double)v / 100, 12); break;
		case BYTES:
		case COUNT: buf_printf(out, "%" PRIu64, v); break;
		}
	}
	buf_puts(out, "}");
}

static bool wanted(const struct options *o, const struct use_line *l)
{
	for (unsigned i = 0; i < o->nzones; i++)
		if (l->z && !strcmp(l->z->uuid, o->zone[i]))
			return true;
	return o->nzones == 0;
}

static void report_json(const struct options *o, const struct stat_sample *s, const struct use_line *l, size_t n)
{
	_buf_ struct buf out = BUF_INIT;
	const char *sep = "";
	char t[CLOCK_TEXT];

	buf_printf(&out, "{\"v\":1,\"time\":\"%s\",\"interval\":", clock_iso(clock_wall_ns(), t));
	show_real(&out, (double)(s->now_ns - s->before_ns) / 1e9, 12);
	buf_printf(&out, ",\"cpus\":%u,\"memory\":%" PRIu64 ",\"total\":", s->host.cpus, s->host.mem_total);
	object(o, &l[0], &out);
	buf_puts(&out, ",\"system\":");
	object(o, &l[1], &out);
	buf_puts(&out, ",\"zones\":[");
	for (size_t i = 2; i < n; i++) {
		if (!wanted(o, &l[i]))
			continue;
		buf_puts(&out, sep);
		object(o, &l[i], &out);
		sep = ",";
	}
	buf_puts(&out, "]}");
	puts(out.p);
}

static void report(const struct options *o, const struct stat_sample *s)
{
	_buf_ struct buf out = BUF_INIT;
	_free_ struct use_line *l = NULL;
	size_t n = use_lines(s, &l);

	use_sort(l, n, o->sort);
	if (o->json) {
		report_json(o, s, l, n);
	} else {
		if (!o->parse && !o->bare)
			header(o, &out);
		for (size_t i = 0; i < n; i++)
			if (i < 2 || wanted(o, &l[i]))
				line(o, &l[i], &out);
		fputs(buf_str(&out), stdout);
	}
	fflush(stdout);
}

static int loop(struct ctx *c, const struct options *o, uint64_t ns, uint64_t count, struct err *e)
{
	_clean_(stat_done) struct stat_sample s = {.z = NULL};
	uint64_t start;
	int r = stat_zones_init(c, o->groups, &s, e);

	if (r == 0)
		r = stat_zones_take(c, &s, e);
	start = s.now_ns;
	for (uint64_t i = 1; r == 0 && (count == 0 || i <= count) && !ferror(stdout); i++) {
		r = stat_sleep(start, ns, i);
		if (r == 0)
			r = stat_zones_take(c, &s, e);
		if (r == 0 && i > 1 && !o->parse && !o->json)
			putchar('\n');
		if (r == 0)
			report(o, &s);
	}
	return r;
}

static int add_columns(struct options *o, char *list)
{
	o->ncols = 0;
	for (char *word; (word = strsep(&list, ","));) {
		int col = column_of(word);

		if (col < 0)
			return cmd_usage("zonestat", "", "-o %s: no such column", word);
		if (o->ncols == USE_COLS)
			return cmd_usage("zonestat", "", "-o: too many columns");
		o->col[o->ncols++] = (enum use_col)col;
	}
	return 0;
}

static int add_zone(const struct ctx *c, struct options *o, const char *word, struct err *e)
{
	int r;

	o->zone = xrealloc(o->zone, (o->nzones + 1) * sizeof *o->zone);
	r = zone_arg(c, word, o->zone[o->nzones], e);
	o->nzones += r == 0;
	return r;
}

static int parse(const struct ctx *c, struct options *o, int argc, char **argv, struct err *e)
{
	int opt, sort, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+Hjo:ps:xz:")) != -1) {
		switch (opt) {
		case 'H': o->bare = true; break;
		case 'j': o->json = true; break;
		case 'p': o->parse = true; break;
		case 'o': r = add_columns(o, optarg); break;
		case 's':
			sort = sort_of(optarg);
			if (sort < 0 || sort == USE_UUID)
				return cmd_usage("zonestat", "", "-s %s: no such column", optarg);
			o->sort = (enum use_col)sort;
			break;
		case 'x': o->extra = true; break;
		case 'z':
			r = add_zone(c, o, optarg, e);
			if (r < 0)
				return cmd_fail(c, e);
			break;
		default: return cmd_usage("zonestat", "", NULL);
		}
	}
	if (r == 0 && o->json && o->parse)
		return cmd_usage("zonestat", "", "-j and -p are two formats");
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct options o = {.sort = USE_CPU, .groups = CGS_CPU | CGS_MEMORY | CGS_LWPS};
	uint64_t ns = 1000000000, count = 1;
	struct err e = ERR_INIT;
	int r;

	r = parse(c, &o, argc, argv, &e);
	if (r == 0 && argc - optind > 0)
		count = 0;
	if (r == 0 && (argc - optind > 2 || (argc - optind > 0 && stat_interval(argv[optind], &ns) < 0) ||
		       (argc - optind > 1 && stat_count(argv[optind + 1], &count) < 0)))
		r = cmd_usage("zonestat", "", "an interval is 0.01 to 86400 seconds, a count at least 1");
	if (r == 0) {
		if (o.ncols == 0)
			for (int i = 0; i < USE_COLS; i++)
				if (columns[i].shown == PLAIN || (o.extra && columns[i].shown == EXTRA) || o.json || o.parse)
					o.col[o.ncols++] = (enum use_col)i;
		for (unsigned i = 0; i < o.ncols; i++)
			o.groups |= columns[o.col[i]].needs;
		o.groups |= columns[o.sort].needs;
		if (loop(c, &o, ns, count, &e) < 0)
			r = cmd_fail(c, &e);
	}
	free(o.zone);
	return r;
}

CMD(zonestat, "zonestat", "", "[-Hx | -p | -j] [-o column,...] [-s column] [-z zone]... [interval [count]]",
    "show what each zone uses of processors, memory, swap and the rest", CMD_NONE, run);
