/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister ps: processes of zones, from the global zone. Which they are is the kernel's word; their names and arguments
 * are their own, and are shown so that they can do nothing to who looks. Only what is shown is read.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/safe.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/zone_pick.h"
#include "stat/procs.h"

#define USAGE "[-efH | -p | -j] [-o column,...] [-z zone]..."

enum col {
	C_ZONE, C_UUID, C_ID, C_UID, C_HUID, C_PID, C_ZPID, C_PPID, C_PGID, C_SID, C_S, C_PCPU, C_STIME, C_ETIME, C_TTY, C_TIME,
	C_PRI, C_NICE, C_VSZ, C_RSS, C_NLWP, C_COMM, C_ARGS, C_COLS
};

static const struct column {
	const char *name, *header;
	int width; /* negative: text, to the left */
	unsigned needs;
} columns[C_COLS] = {
	[C_ZONE] = {"zone", "ZONE", -16, 0},         [C_UUID] = {"uuid", "UUID", -36, 0},
	[C_ID] = {"zoneid", "ZONEID", 6, 0},         [C_UID] = {"uid", "UID", 5, PROCS_IDS},
	[C_HUID] = {"huid", "HUID", 10, PROCS_IDS},  [C_PID] = {"pid", "PID", 7, 0},
	[C_ZPID] = {"zpid", "ZPID", 7, PROCS_IDS},   [C_PPID] = {"ppid", "PPID", 7, 0},
	[C_PGID] = {"pgid", "PGID", 7, 0},           [C_SID] = {"sid", "SID", 7, 0},
	[C_S] = {"s", "S", -1, 0},                   [C_PCPU] = {"pcpu", "%CPU", 5, 0},
	[C_STIME] = {"stime", "STIME", -8, 0},       [C_ETIME] = {"etime", "ELAPSED", 11, 0},
	[C_TTY] = {"tty", "TTY", -7, 0},             [C_TIME] = {"time", "TIME", 8, 0},
	[C_PRI] = {"pri", "PRI", 3, 0},              [C_NICE] = {"nice", "NI", 3, 0},
	[C_VSZ] = {"vsz", "VSZ", 8, 0},              [C_RSS] = {"rss", "RSS", 7, 0},
	[C_NLWP] = {"nlwp", "NLWP", 4, 0},           [C_COMM] = {"comm", "COMMAND", -15, 0},
	[C_ARGS] = {"args", "CMD", -1, PROCS_ARGS},
};

static const enum col plain[] = {C_ZONE, C_PID, C_ZPID, C_TTY, C_TIME, C_COMM};
static const enum col full[] = {C_ZONE, C_UID, C_PID, C_ZPID, C_PPID, C_STIME, C_TTY, C_TIME, C_ARGS};

struct options {
	enum col col[C_COLS];
	size_t ncols;
	bool full, bare, parse, json, every;
	struct zone_pick zones;
};

/* What all lines share. */
struct clock {
	uint64_t hz, up, page; /* up: ticks since boot */
	time_t now;
};

static void hms(uint64_t s, bool days, char out[32])
{
	uint64_t d = days ? s / 86400 : 0, h = (s - d * 86400) / 3600;

	if (d)
		snprintf(out, 32, "%" PRIu64 "-%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, d, h, s / 60 % 60, s % 60);
	else
		snprintf(out, 32, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, h, s / 60 % 60, s % 60);
}

static void started(const struct clock *k, uint64_t start, char out[32])
{
	static const char month[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	uint64_t ago = k->up > start ? (k->up - start) / k->hz : 0;
	time_t at = k->now - (time_t)ago;
	struct tm t = {.tm_mon = 0};

	gmtime_r(&at, &t);
	if (ago < 86400)
		snprintf(out, 32, "%02d:%02d:%02d", t.tm_hour, t.tm_min, t.tm_sec);
	else
		snprintf(out, 32, "%s_%02d", month[t.tm_mon], t.tm_mday);
}

/* A pty's number is the one in the zone that it belongs to, mostly the process's own. */
static void terminal(int tty, char out[32])
{
	unsigned ma = major((dev_t)tty), mi = minor((dev_t)tty);

	if (tty == 0)
		snprintf(out, 32, "?");
	else if (ma >= 136 && ma <= 143)
		snprintf(out, 32, "pts/%u", (ma - 136) * 256 + mi);
	else
		snprintf(out, 32, "%u:%u", ma, mi);
}

/* The column as text in out; true: it is the number *n too. */
static bool value(const struct options *o, const struct clock *k, const struct procs_one *p, enum col c, struct buf *out, int64_t *n)
{
	const struct zone_picked *z = &o->zones.z[p->zone];
	uint64_t age = k->up > p->stat.start ? k->up - p->stat.start : 0, cpu = p->stat.user + p->stat.sys;
	char t[32];

	switch (c) {
	case C_ZONE: buf_puts(out, z->name); return false;
	case C_UUID: buf_puts(out, z->uuid); return false;
	case C_ID: *n = (int64_t)z->run.zoneid; break;
	case C_UID:
		/* a login that has not become one of the zone's users yet is none of them */
		if (z->id_base == 0 || p->ids.uid < z->id_base || p->ids.uid - z->id_base > 65535)
			return false;
		*n = p->ids.uid - z->id_base;
		break;
	case C_HUID: *n = p->ids.uid; break;
	case C_PID: *n = p->pid; break;
	case C_ZPID:
		if (p->ids.zone_pid == 0)
			return false;
		*n = p->ids.zone_pid;
		break;
	case C_PPID: *n = p->stat.ppid; break;
	case C_PGID: *n = p->stat.pgrp; break;
	case C_SID: *n = p->stat.session; break;
	case C_S: buf_add(out, &p->stat.state, 1); return false;
	case C_PCPU: buf_printf(out, "%.1f", age ? (double)cpu * 100 / (double)age : 0.0); return false;
	case C_STIME: started(k, p->stat.start, t); buf_puts(out, t); return false;
	case C_ETIME: hms(age / k->hz, true, t); buf_puts(out, t); return false;
	case C_TTY: terminal(p->stat.tty, t); buf_puts(out, t); return false;
	case C_TIME: hms(cpu / k->hz, true, t); buf_puts(out, t); return false;
	case C_PRI: *n = p->stat.priority; break;
	case C_NICE: *n = p->stat.nice; break;
	case C_VSZ: *n = (int64_t)(p->stat.vsize / 1024); break;
	case C_RSS: *n = (int64_t)(p->stat.rss * k->page / 1024); break;
	case C_NLWP: *n = (int64_t)p->stat.threads; break;
	case C_COMM: safe_add(out, p->stat.comm, p->stat.comm_len); return false;
	case C_ARGS:
		if (p->args_len) {
			safe_add_args(out, p->args, p->args_len);
			return false;
		}
		buf_puts(out, p->stat.state == 'Z' ? "" : "[");
		safe_add(out, p->stat.comm, p->stat.comm_len);
		buf_puts(out, p->stat.state == 'Z' ? " <defunct>" : "]");
		return false;
	case C_COLS: break;
	}
	buf_printf(out, "%" PRId64, *n);
	return true;
}

static void field(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == ':')
			buf_puts(out, "\\");
		buf_add(out, s, 1);
	}
}

static void line(const struct options *o, const struct clock *k, const struct procs_one *p, struct buf *out)
{
	for (size_t i = 0; i < o->ncols; i++) {
		_buf_ struct buf v = BUF_INIT;
		int64_t n = 0;
		int width = columns[o->col[i]].width;

		value(o, k, p, o->col[i], &v, &n);
		if (o->parse) {
			buf_puts(out, i ? ":" : "");
			field(out, buf_str(&v));
			continue;
		}
		buf_puts(out, i ? " " : "");
		if (width < 0)
			show_cell(out, v.len ? v.p : "-", i + 1 < o->ncols ? (unsigned)-width : 0);
		else
			buf_printf(out, "%*s", width, v.len ? v.p : "-");
	}
	buf_puts(out, "\n");
}

static json_t *object(const struct options *o, const struct clock *k, const struct procs_one *p)
{
	json_t *j = json_object();

	for (size_t i = 0; i < o->ncols; i++) {
		_buf_ struct buf v = BUF_INIT;
		int64_t n = 0;
		bool number = value(o, k, p, o->col[i], &v, &n);

		if (number)
			json_object_set_new(j, columns[o->col[i]].name, json_integer(n));
		else if (v.len)
			json_object_set_new(j, columns[o->col[i]].name, json_string(v.p));
	}
	return j;
}

static void report(const struct options *o, const struct procs *ps)
{
	_buf_ struct buf out = BUF_INIT;
	struct timespec up;
	struct clock k = {.hz = (uint64_t)sysconf(_SC_CLK_TCK), .page = (uint64_t)sysconf(_SC_PAGESIZE), .now = time(NULL)};
	json_t *all = o->json ? json_array() : NULL;

	clock_gettime(CLOCK_BOOTTIME, &up);
	k.up = (uint64_t)up.tv_sec * k.hz + (uint64_t)up.tv_nsec / (1000000000 / k.hz);
	for (size_t i = 0; i < o->ncols && !o->bare && !o->parse && !o->json; i++) {
		const struct column *c = &columns[o->col[i]];

		buf_printf(&out, "%s%*s", i ? " " : "", c->width, c->header);
	}
	show_trim(&out);
	buf_puts(&out, out.len ? "\n" : "");
	for (size_t i = 0; i < ps->n; i++) {
		if (all)
			json_array_append_new(all, object(o, &k, &ps->p[i]));
		else
			line(o, &k, &ps->p[i], &out);
	}
	if (all) {
		json_t *j = json_pack("{s:i, s:o}", "v", 1, "processes", all);
		_free_ char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

		buf_printf(&out, "%s\n", text ? text : "{}");
		json_decref(j);
	}
	fputs(buf_str(&out), stdout);
}

static int add_columns(struct options *o, char *list)
{
	for (char *word; (word = strsep(&list, ","));) {
		int c = 0;

		while (c < C_COLS && strcmp(columns[c].name, word) != 0)
			c++;
		if (c == C_COLS)
			return cmd_usage("cloister", "ps", "-o %s: no such column", word);
		if (o->ncols == C_COLS)
			return cmd_usage("cloister", "ps", "-o: too many columns");
		o->col[o->ncols++] = (enum col)c;
	}
	return 0;
}

static int parse(const struct ctx *c, struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	int opt, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+efHjo:pz:")) != -1) {
		switch (opt) {
		case 'e': o->every = true; break;
		case 'f': o->full = true; break;
		case 'H': o->bare = true; break;
		case 'j': o->json = true; break;
		case 'p': o->parse = true; break;
		case 'o': r = add_columns(o, optarg); break;
		case 'z':
			if (zone_pick_add(c, &o->zones, optarg, &e) < 0)
				return cmd_fail(c, &e);
			break;
		default: return cmd_usage("cloister", "ps", NULL);
		}
	}
	if (r == 0 && optind < argc)
		r = cmd_usage("cloister", "ps", "%s: a zone is named by -z", argv[optind]);
	if (r == 0 && o->every && o->zones.nwant)
		r = cmd_usage("cloister", "ps", "-e is every zone, -z some");
	if (r == 0 && o->json && o->parse)
		r = cmd_usage("cloister", "ps", "-j and -p are two formats");
	if (r == 0 && o->full && o->ncols)
		r = cmd_usage("cloister", "ps", "-f and -o each say which columns");
	return r;
}

static void choose(struct options *o)
{
	const enum col *c = o->full ? full : plain;
	size_t n = o->full ? ARRAY_LEN(full) : ARRAY_LEN(plain);

	if (o->ncols)
		return;
	if (o->json || o->parse)
		for (int i = 0; i < C_COLS; i++)
			o->col[o->ncols++] = (enum col)i;
	else
		for (size_t i = 0; i < n; i++)
			o->col[o->ncols++] = c[i];
}

static int run(struct ctx *c, int argc, char **argv)
{
	_clean_(procs_done) struct procs ps = {.p = NULL};
	struct options o = {.ncols = 0};
	struct err e = ERR_INIT;
	unsigned needs = 0;
	int r = parse(c, &o, argc, argv);

	if (r == 0) {
		choose(&o);
		for (size_t i = 0; i < o.ncols; i++)
			needs |= columns[o.col[i]].needs;
		r = zone_pick_procs(c, &o.zones, &ps, needs, &e);
		if (r == 0)
			report(&o, &ps);
		else
			r = cmd_fail(c, &e);
	}
	zone_pick_done(&o.zones);
	return r;
}

CMD(cloister_ps, "cloister", "ps", USAGE, "list the processes of zones", CMD_NONE, run);
