/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister usage: what zones have used, to pay for. A row is a zone's, over the whole time or hour by hour; [system] is what of the
 * host no zone has used, [unattributed] what of the pool's I/O no zone is charged with; with the zones they are [total].
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/zone_arg.h"
#include "node/usage.h"
#include "state/state.h"
#include "zone/self.h"

#define SECOND 1000000000ULL

enum who { TOTAL, SYSTEM, UNATTRIBUTED, ZONE };
static const char *const who_name[] = {"[total]", "[system]", "[unattributed]"};

struct line {
	enum who who;
	struct usage_row r;
};

struct options {
	bool json, csv, hourly;
	uint64_t from, to;
	char (*zone)[37];
	size_t nzones;
	struct state *st;
};

static bool known_counter(const struct line *l, enum usage_counter c)
{
	return l->r.known & 1u << c;
}

static bool known_gauge(const struct line *l, enum usage_gauge g)
{
	return l->r.known & 1u << (16 + g);
}

/* The columns, in all formats. */
enum unit { SECONDS, COUNT, AREA };
static const struct column {
	const char *name, *header;
	int width;
	bool gauge;
	int index;
	enum unit unit;
} columns[] = {
	{"cpu_seconds", "CPU-S", 12, false, UC_CPU_US, SECONDS},
	{"memory_byte_seconds", "MEM-GIB-H", 11, true, UG_MEMORY, AREA},
	{"data_byte_seconds", "DATA-GIB-H", 11, true, UG_DATA, AREA},
	{"read_bytes", "READ", 9, false, UC_READ, COUNT},
	{"written_bytes", "WRITTEN", 9, false, UC_WRITTEN, COUNT},
	{"reads", "READS", 9, false, UC_READS, COUNT},
	{"writes", "WRITES", 9, false, UC_WRITES, COUNT},
	{"received_bytes", "RECV", 9, false, UC_RECEIVED, COUNT},
	{"sent_bytes", "SENT", 9, false, UC_SENT, COUNT},
};

static bool known(const struct line *l, const struct column *k)
{
	return k->gauge ? known_gauge(l, (enum usage_gauge)k->index) : known_counter(l, (enum usage_counter)k->index);
}

static void cell(const struct line *l, const struct column *k, bool people, char out[48])
{
	uint64_t v = k->gauge ? 0 : l->r.used[k->index];
	double area = k->gauge ? l->r.area[k->index] : 0;

	if (!known(l, k))
		snprintf(out, 48, "%s", people ? "-" : "");
	else if (k->unit == SECONDS)
		snprintf(out, 48, "%" PRIu64 ".%0*" PRIu64, v / 1000000, people ? 2 : 6, people ? v % 1000000 / 10000 : v % 1000000);
	else if (k->unit == AREA && people)
		snprintf(out, 48, "%.3f", area / 1073741824.0 / 3600);
	else if (k->unit == AREA)
		snprintf(out, 48, "%.0f", area);
	else if (people && (k->index == UC_READ || k->index == UC_WRITTEN || k->index == UC_RECEIVED || k->index == UC_SENT))
		str_from_bytes(v, out);
	else
		snprintf(out, 48, "%" PRIu64, v);
}

static char *alias_of(const struct options *o, const struct line *l)
{
	json_t *rec = NULL;
	char *alias = NULL;

	if (l->who == ZONE && o->st && state_vm_get(o->st, l->r.uuid, &rec, NULL, NULL, NULL) == 0 && json_object_get(rec, "alias"))
		alias = xstrdup(json_string_value(json_object_get(rec, "alias")) ?: "");
	json_decref(rec);
	return alias;
}

static void hour_text(uint64_t hour, char out[CLOCK_TEXT])
{
	clock_iso(hour * SECOND, out);
	strcpy(out + 16, "Z"); /* 2026-01-31T12:00 */
}

static void show_json(const struct options *o, const struct line *l, size_t n)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT];
	json_t *rows = json_array(), *j;

	for (size_t i = 0; i < n; i++) {
		_free_ char *alias = alias_of(o, &l[i]);
		char t[CLOCK_TEXT];
		json_t *row = json_object();

		hour_text(l[i].r.hour, t);
		if (o->hourly)
			json_object_set_new(row, "hour", json_string(t));
		json_object_set_new(row, "zone", json_string(l[i].who == ZONE ? l[i].r.uuid : who_name[l[i].who]));
		if (alias)
			json_object_set_new(row, "alias", json_string(alias));
		json_object_set_new(row, "seconds", json_real((double)l[i].r.ms / 1000));
		for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
			const struct column *c = &columns[k];

			if (!known(&l[i], c))
				continue;
			json_object_set_new(row, c->name, c->unit == AREA      ? json_integer((json_int_t)(l[i].r.area[c->index] + 0.5))
							  : c->unit == SECONDS ? json_real((double)l[i].r.used[c->index] / 1e6)
									       : json_integer((json_int_t)l[i].r.used[c->index]));
		}
		json_array_append_new(rows, row);
	}
	hour_text(o->from, from);
	hour_text(o->to, to);
	j = json_pack("{s:i, s:s, s:s, s:o}", "v", 1, "from", from, "to", to, "rows", rows);
	json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	putchar('\n');
	json_decref(j);
}

static void show_csv(const struct options *o, const struct line *l, size_t n)
{
	printf("%szone,seconds", o->hourly ? "hour," : "");
	for (size_t k = 0; k < ARRAY_LEN(columns); k++)
		printf(",%s", columns[k].name);
	putchar('\n');
	for (size_t i = 0; i < n; i++) {
		char t[CLOCK_TEXT];

		hour_text(l[i].r.hour, t);
		printf("%s%s%s,%.3f", o->hourly ? t : "", o->hourly ? "," : "", l[i].who == ZONE ? l[i].r.uuid : who_name[l[i].who],
		       (double)l[i].r.ms / 1000);
		for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
			cell(&l[i], &columns[k], false, t);
			printf(",%s", t);
		}
		putchar('\n');
	}
}

static void show_text(const struct options *o, const struct line *l, size_t n)
{
	_buf_ struct buf out = BUF_INIT;

	buf_printf(&out, "%s%-36s %9s", o->hourly ? "HOUR               " : "", "ZONE", "HOURS");
	for (size_t k = 0; k < ARRAY_LEN(columns); k++)
		buf_printf(&out, " %*s", columns[k].width, columns[k].header);
	buf_puts(&out, "\n");
	for (size_t i = 0; i < n; i++) {
		_free_ char *alias = alias_of(o, &l[i]);
		char t[CLOCK_TEXT];

		hour_text(l[i].r.hour, t);
		if (o->hourly)
			buf_printf(&out, "%s  ", t);
		show_cell(&out, l[i].who != ZONE ? who_name[l[i].who] : alias && *alias ? alias : l[i].r.uuid, 36);
		buf_printf(&out, " %9.2f", (double)l[i].r.ms / 3600000);
		for (size_t k = 0; k < ARRAY_LEN(columns); k++) {
			cell(&l[i], &columns[k], true, t);
			buf_printf(&out, " %*s", columns[k].width, t);
		}
		buf_puts(&out, "\n");
	}
	fputs(buf_str(&out), stdout);
}

/* ---- rows to lines ---- */

static void plus(struct usage_row *to, const struct usage_row *r)
{
	for (int k = 0; k < UC_COUNT; k++)
		to->used[k] += r->used[k];
	for (int k = 0; k < UG_COUNT; k++)
		to->area[k] += r->area[k];
	to->ms += r->ms;
	to->known |= r->known;
}

/* The host's line, and what of it the zones have not used. */
static size_t host_lines(const struct usage_row *host, const struct usage_row *zones, struct line *out)
{
	struct line total = {.who = TOTAL, .r = *host}, system = {.who = SYSTEM, .r = *host}, rest = {.who = UNATTRIBUTED, .r = *host};
	const uint32_t io = 0xfu << UC_READ;

	for (int k = 0; k < UC_COUNT; k++)
		system.r.used[k] = rest.r.used[k] = host->used[k] > zones->used[k] ? host->used[k] - zones->used[k] : 0;
	for (int k = 0; k < UG_COUNT; k++)
		system.r.area[k] = host->area[k] > zones->area[k] ? host->area[k] - zones->area[k] : 0;
	/* I/O of the pool that is no zone's: the global zone's own, and what the kernel wrote for nobody in particular */
	system.r.known &= ~io;
	rest.r.known &= io;
	out[0] = total;
	out[1] = system;
	if (!rest.r.known)
		return 2;
	out[2] = rest;
	return 3;
}

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->r.uuid, ((const struct line *)b)->r.uuid);
}

static bool wanted(const struct options *o, const char *uuid)
{
	for (size_t i = 0; i < o->nzones; i++)
		if (!strcmp(o->zone[i], uuid))
			return true;
	return o->nzones == 0;
}

/* One report of rows [i, end): the host's lines, unless zones were asked for by name, then the zones'. */
static size_t report(const struct options *o, const struct usage_table *t, size_t i, size_t end, struct line *out)
{
	struct usage_row host = {.hour = o->hourly ? t->row[i].hour : o->from}, zones = host;
	size_t n = 0, first;

	for (size_t k = i; k < end; k++)
		plus(t->row[k].uuid[0] ? &zones : &host, &t->row[k]);
	if (o->nzones == 0 && host.known)
		n = host_lines(&host, &zones, out);
	first = n;
	for (size_t k = i; k < end; k++)
		if (t->row[k].uuid[0] && wanted(o, t->row[k].uuid))
			out[n++] = (struct line){.who = ZONE, .r = t->row[k]};
	qsort(out + first, n - first, sizeof *out, by_uuid);
	for (size_t k = first, to = first; k < n; k++) {
		if (k > first && !strcmp(out[k].r.uuid, out[to - 1].r.uuid)) {
			plus(&out[to - 1].r, &out[k].r);
			if (k + 1 == n)
				n = to;
			continue;
		}
		out[to++] = out[k];
		if (k + 1 == n)
			n = to;
	}
	return n;
}

static void show(const struct options *o, const struct usage_table *t)
{
	_free_ struct line *l = xalloc((t->n * 4 + 4) * sizeof *l);
	size_t n = 0;

	for (size_t i = 0, end; i < t->n; i = end) {
		for (end = i + 1; end < t->n && (!o->hourly || t->row[end].hour == t->row[i].hour); end++)
			;
		n += report(o, t, i, end, l + n);
	}
	(o->json ? show_json : o->csv ? show_csv : show_text)(o, l, n);
}

/* "2026-01-31", "2026-01-31T12", "2026-01-31T12:00Z", a whole time: the hour it is in. */
static int parse_hour(const char *s, uint64_t *out)
{
	_free_ char *t = NULL;
	uint64_t ns;
	size_t n = strlen(s);

	if (n > 0 && s[n - 1] == 'Z')
		n--;
	t = n == 10   ? xprintf("%.10sT00:00:00.000Z", s)
	    : n == 13 ? xprintf("%.13s:00:00.000Z", s)
	    : n == 16 ? xprintf("%.16s:00.000Z", s)
	    : n == 19 ? xprintf("%.19s.000Z", s)
		      : xstrdup(s);
	if (strlen(t) > 10 && t[10] == ' ')
		t[10] = 'T'; /* as date(1) and people have it */
	if (clock_parse_iso(t, &ns) < 0)
		return -EINVAL;
	*out = ns / SECOND / USAGE_HOUR * USAGE_HOUR;
	return 0;
}

static int parse(struct ctx *c, struct options *o, int argc, char **argv, struct err *e)
{
	static const struct option longs[] = {{"from", 1, NULL, 'f'}, {"to", 1, NULL, 't'}, {"json", 0, NULL, 'j'}, {"csv", 0, NULL, 'c'},
					      {"hourly", 0, NULL, 'H'}, {NULL, 0, NULL, 0}};
	uint64_t now = clock_wall_ns() / SECOND / USAGE_HOUR * USAGE_HOUR;
	const char *from = NULL, *to = NULL;
	int opt, r = 0;

	o->to = now + USAGE_HOUR;
	while ((opt = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		switch (opt) {
		case 'f': r = parse_hour(from = optarg, &o->from); break;
		case 't': r = parse_hour(to = optarg, &o->to); break;
		case 'j': o->json = true; break;
		case 'c': o->csv = true; break;
		case 'H': o->hourly = true; break;
		default: return cmd_usage("cloister", "usage", NULL);
		}
		if (r < 0)
			return cmd_usage("cloister", "usage", "\"%s\" is not a time: 2026-01-31, or 2026-01-31T12:00Z (of UTC)", optarg);
	}
	if (!from)
		o->from = o->to > 24 * USAGE_HOUR ? o->to - 24 * USAGE_HOUR : 0;
	if (o->json && o->csv)
		return cmd_usage("cloister", "usage", "-j and --csv are two formats");
	if (o->from >= o->to && !to)
		return cmd_usage("cloister", "usage", "--from %s is yet to come", from);
	if (o->from >= o->to && o->from - o->to < USAGE_HOUR)
		return cmd_usage("cloister", "usage", "--from and --to are in the same hour: what is kept are whole hours, and that of --to is left out");
	if (o->from >= o->to)
		return cmd_usage("cloister", "usage", "the time ends before it begins");
	o->zone = xalloc((size_t)(argc - optind + 1) * sizeof *o->zone);
	for (; optind < argc; optind++) {
		r = zone_arg(c, argv[optind], o->zone[o->nzones], e);
		if (r < 0)
			return cmd_fail(c, e);
		o->nzones++;
	}
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	_clean_(usage_table_done) struct usage_table t = {0};
	_clean_(state_close) struct state *st = NULL;
	struct options o = {.json = false};
	struct err e = ERR_INIT;
	int r = 0, rc;

	if (zone_inside()) {
		err_set(&e, ENOTSUP, "this command works in the global zone only");
		return cmd_fail(c, &e);
	}
	rc = parse(c, &o, argc, argv, &e);
	if (rc == 0) {
		r = usage_now(c, &e);
		if (r == 0)
			r = usage_load(c, o.from, o.to, &t, &e);
		if (r == 0 && state_open(c, STATE_READ, &st, NULL) == 0)
			o.st = st;
		if (r == 0)
			show(&o, &t);
		rc = r < 0 ? cmd_fail(c, &e) : 0;
	}
	free(o.zone);
	return rc;
}

CMD(cloister_usage, "cloister", "usage", "[--from TIME] [--to TIME] [--hourly] [-j | --csv] [ZONE...]",
    "what zones have used: processor time, memory, I/O and data, hour by hour", CMD_VM, run);
