/* SPDX-License-Identifier: MPL-2.0 */
/* cloister why: one page on a slow zone. The first line names what holds it back most. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/stat_zones.h"
#include "cmd/why_facts.h"
#include "cmd/zone_arg.h"

#define WINDOW_NS 2000000000ULL

struct options {
	bool json;
	uint64_t ns;
	const char *word;
};

static bool known(uint64_t v)
{
	return v < CGV_NONE;
}

static const char *bytes(uint64_t v, char out[16])
{
	return known(v) ? str_from_bytes(v, out) : v == CGV_NONE ? "no limit" : "-";
}

static const char *count(uint64_t v, char out[24])
{
	if (!known(v))
		return v == CGV_NONE ? "no limit" : "-";
	snprintf(out, 24, "%" PRIu64, v);
	return out;
}

static void pressure(const struct why_facts *f, const char *what, enum cg_value psi)
{
	if (!known(f->now[psi]))
		return;
	printf("  waited for %-10s %3u %% now; %5.1f %% of 10 s, %5.1f %% of a minute, %5.1f %% of five\n", what, why_waited(f, psi),
	       (double)f->now[psi] / 100, (double)f->now[psi + 1] / 100, (double)f->now[psi + 2] / 100);
}

static void page(const struct why_gather *g, const struct why *w, size_t n)
{
	const struct why_facts *f = &g->f;
	char a[24], b[24], t[16], u[16];

	if (n == 0)
		printf("%s: nothing: nothing that the host can see holds it back\n", g->z->name);
	for (size_t i = 0; i < n; i++) {
		if (i == 1)
			printf("also:\n");
		printf("%s%s%s: %s\n", i ? "  " : g->z->name, i ? "" : ": ", w[i].cause, w[i].text);
	}
	printf("numbers of %.1f seconds:\n", f->seconds);
	printf("  processors            %.2f used, cap %s %%, shares worth %.2f\n", (double)f->used / 1000,
	       known(f->now[CGV_CPU_QUOTA]) && f->now[CGV_CPU_PERIOD]
		       ? count(f->now[CGV_CPU_QUOTA] * 100 / f->now[CGV_CPU_PERIOD], a)
		       : "-",
	       (double)f->share / 1000);
	printf("  memory                %s of %s, swap %s\n", bytes(f->now[CGV_MEM], t), bytes(f->now[CGV_MEM_CAP], u), known(f->now[CGV_SWAP]) ? bytes(f->now[CGV_SWAP], a) : "-");
	printf("  threads               %s of %s; %u processes, %u blocked, %u stopped\n", count(f->now[CGV_LWPS], a), count(f->now[CGV_LWPS_CAP], b), f->procs,
	       f->blocked, f->stopped);
	if (f->quota)
		printf("  disk                  %s of %s\n", str_from_bytes(f->quota_used, t), str_from_bytes(f->quota, u));
	pressure(f, "processors", CGV_PSI_CPU);
	pressure(f, "memory", CGV_PSI_MEM);
	pressure(f, "disks", CGV_PSI_IO);
	printf("the host: %.2f of %u processors used", (double)f->host_used / 1000, f->cpus);
	for (int i = 0; i < WHY_OTHERS && f->cpu[i].v; i++)
		printf("%s %s %.2f", i ? "," : "; others:", f->cpu[i].name, (double)f->cpu[i].v / 1000);
	if (f->disk_busy)
		printf("; %s busy %u %%", f->disk, f->disk_busy);
	putchar('\n');
}

static json_t *findings(const struct why *w, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s, s:i, s:s}", "cause", w[i].cause, "weight", (int)w[i].weight, "text", w[i].text));
	return all;
}

static void put(json_t *o, const char *key, uint64_t v)
{
	if (known(v))
		json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void page_json(const char *name, const char *uuid, const struct why_facts *f, const struct why *w, size_t n)
{
	json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:o}", "v", 1, "zone", name, "uuid", uuid, "cause", n ? w[0].cause : "nothing", "findings",
			      findings(w, n)),
	       *o = json_object();
	_free_ char *text = NULL;

	if (f->seconds > 0) {
		json_object_set_new(o, "seconds", json_real(f->seconds));
		json_object_set_new(o, "cpu", json_real((double)f->used / 1000));
		json_object_set_new(o, "host_cpu", json_real((double)f->host_used / 1000));
		put(o, "memory", f->now[CGV_MEM]);
		put(o, "memory_limit", f->now[CGV_MEM_CAP]);
		put(o, "lwps", f->now[CGV_LWPS]);
		put(o, "lwps_limit", f->now[CGV_LWPS_CAP]);
		put(o, "waited_cpu", why_waited(f, CGV_PSI_CPU));
		put(o, "waited_memory", why_waited(f, CGV_PSI_MEM));
		put(o, "waited_io", why_waited(f, CGV_PSI_IO));
		json_object_set_new(o, "processes", json_integer(f->procs));
	}
	json_object_set_new(j, "numbers", o);
	text = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6));
	puts(text ? text : "{}");
	json_decref(j);
}

/* One that does not run is slow for that reason. */
static int not_running(struct ctx *c, const struct options *o, const char *uuid, struct err *e)
{
	_free_ char *state = zone_arg_state(c, uuid);
	struct why_facts f = {.seconds = 0};
	struct why w[2] = {{.cause = "not-running", .weight = 1000}, {.cause = "restarts", .weight = 1001}};

	if (!state)
		return err_set(e, ENOENT, "zone '%s' unknown", o->word);
	why_events(c, uuid, &f);
	snprintf(w[0].text, sizeof w[0].text, "it does not run; its state is %s", state);
	if (f.restarts >= 2) {
		w[1].cause = w[0].cause;
		memcpy(w[1].text, w[0].text, sizeof w[1].text);
		w[0].cause = "restarts";
		snprintf(w[0].text, sizeof w[0].text, "its init has ended and been started again %u times in the last ten minutes", f.restarts);
	}
	if (o->json) {
		page_json(o->word, uuid, &f, w, f.restarts >= 2 ? 2 : 1);
		return 0;
	}
	printf("%s: %s: %s\n", o->word, w[0].cause, w[0].text);
	if (f.restarts >= 2)
		printf("also:\n  %s: %s\n", w[1].cause, w[1].text);
	return 0;
}

static int look(struct ctx *c, const struct options *o, struct err *e)
{
	_clean_(zone_pick_done) struct zone_pick zp = {.z = NULL};
	_clean_(why_gather_done) struct why_gather g = {.c = c};
	struct why w[WHY_MAX];
	size_t n;
	int r = zone_pick_add(c, &zp, o->word, e);

	if (r == 0)
		r = zone_pick_find(c, &zp, e);
	if (r == -ESRCH)
		return not_running(c, o, zp.want[0], e);
	if (r < 0)
		return r;
	g.z = &zp.z[0];
	r = why_gather(&g, o->ns, e);
	/* it ended while we looked: a restart is what there is to see */
	if (r == -ESRCH)
		return not_running(c, o, zp.want[0], e);
	if (r < 0)
		return r;
	n = why_find(&g.f, w);
	if (o->json)
		page_json(g.z->name, g.z->uuid, &g.f, w, n);
	else
		page(&g, w, n);
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct options o = {.ns = WINDOW_NS};
	struct err e = ERR_INIT;
	int opt;

	optind = 1;
	while ((opt = getopt(argc, argv, "+jt:")) != -1) {
		switch (opt) {
		case 'j': o.json = true; break;
		case 't':
			if (stat_interval(optarg, &o.ns) < 0)
				return cmd_usage("cloister", "why", "-t: 0.01 to 86400 seconds");
			break;
		default: return cmd_usage("cloister", "why", NULL);
		}
	}
	if (argc - optind != 1)
		return cmd_usage("cloister", "why", "which zone?");
	o.word = argv[optind];
	return look(c, &o, &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD(cloister_why, "cloister", "why", "[-j] [-t seconds] zone", "say what holds a zone back", CMD_VM, run);
