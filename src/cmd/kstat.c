/* SPDX-License-Identifier: MPL-2.0 */
/* kstat: statistics by their illumos names, as its command prints them. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/stat_zones.h"
#include "stat/kstat.h"

#define RATE_NS 100000000 /* the first sample of a rate */

struct out {
	enum { TEXT, PARSE, LIST, JSON, QUIET } format;
	uint64_t matched;
	char module[64], name[256]; /* the kstat whose statistics are being printed */
	uint64_t instance;
	struct buf json;
	bool inner; /* data has a member */
};

static void value_text(const struct kstat_item *it, char out[64])
{
	switch (it->kind) {
	case KV_NUMBER: snprintf(out, 64, "%" PRIu64, it->number); break;
	case KV_PERCENT: snprintf(out, 64, "%" PRIu64 ".%02" PRIu64, it->number / 100, it->number % 100); break;
	case KV_SECONDS: snprintf(out, 64, "%" PRIu64 ".%09" PRIu64, it->number / 1000000000, it->number % 1000000000); break;
	case KV_TEXT: snprintf(out, 64, "%s", it->text); break;
	}
}

static void head_json(struct out *o, const struct kstat_item *it)
{
	buf_printf(&o->json, "%s  {\n    \"module\": ", o->json.len ? "\n    }\n  },\n" : "");
	show_quoted(&o->json, it->module);
	buf_printf(&o->json, ",\n    \"instance\": %" PRIu64 ",\n    \"name\": ", it->instance);
	show_quoted(&o->json, it->name);
	buf_puts(&o->json, ",\n    \"class\": ");
	show_quoted(&o->json, it->class);
	buf_puts(&o->json, ",\n    \"snaptime\": ");
	show_real(&o->json, it->snaptime, 17);
	buf_puts(&o->json, ",\n    \"data\": {");
	o->inner = false;
}

static void put_json(struct out *o, const struct kstat_item *it)
{
	buf_printf(&o->json, "%s\n      \"%s\": ", o->inner ? "," : "", it->stat);
	o->inner = true;
	if (it->kind == KV_TEXT)
		show_quoted(&o->json, it->text);
	else if (it->kind == KV_SECONDS)
		show_real(&o->json, (double)it->number / 1e9, 17);
	else if (it->kind == KV_PERCENT)
		show_real(&o->json, (double)it->number / 100, 17);
	else
		buf_printf(&o->json, "%" PRIu64, it->number);
}

static int print(const struct kstat_item *it, void *arg)
{
	struct out *o = arg;
	bool head = !o->matched || o->instance != it->instance || strcmp(o->module, it->module) || strcmp(o->name, it->name);
	bool more = o->matched++ > 0;
	char v[64];

	value_text(it, v);
	if (head) {
		snprintf(o->module, sizeof o->module, "%s", it->module);
		snprintf(o->name, sizeof o->name, "%s", it->name);
		o->instance = it->instance;
	}
	switch (o->format) {
	case QUIET: break;
	case PARSE: printf("%s:%" PRIu64 ":%s:%s\t%s\n", it->module, it->instance, it->name, it->stat, v); break;
	case LIST: printf("%s:%" PRIu64 ":%s:%s\n", it->module, it->instance, it->name, it->stat); break;
	case JSON:
		if (head)
			head_json(o, it);
		/* class and snaptime stand beside data */
		if (strcmp(it->stat, "class") != 0 && strcmp(it->stat, "snaptime") != 0)
			put_json(o, it);
		break;
	case TEXT:
		if (head)
			printf("%smodule: %-30s  instance: %-6" PRIu64 "\nname:   %-30s  class:    %s\n", more ? "\n" : "", it->module,
			       it->instance, it->name, it->class);
		if (strcmp(it->stat, "class") != 0)
			printf("\t%-30s  %s\n", it->stat, v);
	}
	return 0;
}

static void report(const struct stat_sample *s, const struct kstat_pattern *p, size_t n, struct out *o)
{
	o->module[0] = 0;
	kstat_each(s, p, n, print, o);
	if (o->format == JSON) {
		if (o->json.len)
			printf("[\n%s\n    }\n  }\n]\n", o->json.p);
		else
			puts("[]");
		buf_done(&o->json);
	} else if (o->format == TEXT && o->matched) {
		putchar('\n');
	}
	fflush(stdout);
}

static int loop(struct ctx *c, const struct kstat_pattern *p, size_t n, struct out *o, uint64_t ns, uint64_t count, struct err *e)
{
	_clean_(stat_done) struct stat_sample s = {.z = NULL};
	uint64_t start;
	bool rate;
	unsigned needs = kstat_needs(p, n, &rate);
	int r = stat_zones_init(c, needs, &s, e);

	if (r == 0)
		r = stat_zones_take(c, &s, e);
	if (r == 0 && rate) {
		r = stat_sleep(s.now_ns, RATE_NS, 1);
		if (r == 0)
			r = stat_zones_take(c, &s, e);
	}
	start = s.now_ns;
	for (uint64_t i = 1; r == 0; i++) {
		report(&s, p, n, o);
		if ((count && i >= count) || ferror(stdout))
			break;
		r = stat_sleep(start, ns, i);
		if (r == 0)
			r = stat_zones_take(c, &s, e);
		if (r == 0 && o->format == PARSE)
			putchar('\n');
	}
	return r;
}

/* -m, -i, -n, -s and -c are fields of one pattern of its own. */
static int option(int opt, const char *arg, struct kstat_pattern *p, struct out *o, bool *fields, struct err *e)
{
	static const char letters[] = "minsc";
	const char *at = strchr(letters, opt);

	switch (opt) {
	case 'p': o->format = PARSE; return 0;
	case 'l': o->format = LIST; return 0;
	case 'j': o->format = JSON; return 0;
	case 'q': o->format = QUIET; return 0;
	default: break;
	}
	if (!at)
		return cmd_usage("kstat", "", NULL);
	*fields = true;
	return kstat_pattern_field(p, (int)(at - letters), arg, e) < 0 ? cmd_usage("kstat", "", "%s", e->msg) : 0;
}

static bool is_number(const char *s)
{
	return *s && !s[strspn(s, "0123456789.")];
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct kstat_pattern *p = xalloc((size_t)(argc + 1) * sizeof *p);
	struct out o = {.format = TEXT};
	uint64_t ns = 0, count = 1;
	struct err e = ERR_INIT;
	bool fields = false;
	size_t n = 1; /* p[0] is the options' */
	int opt, r = 0;

	optind = 1;
	while (r == 0 && (opt = getopt(argc, argv, "+c:i:jlm:n:pqs:")) != -1)
		r = option(opt, optarg, &p[0], &o, &fields, &e);
	for (; r == 0 && optind < argc && !is_number(argv[optind]); optind++, n++)
		if (kstat_pattern_parse(argv[optind], &p[n], &e) < 0)
			r = cmd_usage("kstat", "", "%s", e.msg);
	if (r == 0 && optind < argc) {
		count = 0;
		if (stat_interval(argv[optind], &ns) < 0 || argc - optind > 2 ||
		    (argc - optind == 2 && stat_count(argv[optind + 1], &count) < 0))
			r = cmd_usage("kstat", "", "an interval is 0.01 to 86400 seconds, a count at least 1");
	}
	if (r == 0) {
		size_t skip = n > 1 && !fields; /* with operands alone, the options' pattern would match all */

		r = loop(c, p + skip, n - skip, &o, ns, count, &e) < 0 ? cmd_fail(c, &e) : o.matched == 0;
	}
	for (size_t i = 0; i < n; i++)
		kstat_pattern_done(&p[i]);
	free(p);
	return r;
}

CMD(kstat, "kstat", "",
    "[-p | -l | -j | -q] [-c class] [-m module] [-i instance] [-n name] [-s statistic] [module[:instance[:name[:statistic]]]]... [interval [count]]",
    "print statistics by their names: module:instance:name:statistic", CMD_NONE, run);
