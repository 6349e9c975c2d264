/* SPDX-License-Identifier: MPL-2.0 */
/* cloister pool: the node's storage. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "kern/cgroup.h"
#include "node/vmops.h"
#include "store/store.h"

struct verb {
	const char *name, *synopsis;
	int (*run)(struct ctx *c, int argc, char **argv);
};
static const struct verb *verb_find(const char *name);

static int usage(const char *verb, const char *why, ...) __attribute__((format(printf, 2, 3)));
static int usage(const char *verb, const char *why, ...)
{
	if (why) {
		va_list ap;

		fprintf(stderr, "cloister pool %s: ", verb);
		va_start(ap, why);
		vfprintf(stderr, why, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	fprintf(stderr, "usage:\n  cloister pool %s %s\n", verb, verb_find(verb)->synopsis);
	return 2;
}

static int create(struct ctx *c, int argc, char **argv)
{
	static const struct option lo[] = {{"size", 1, NULL, 's'}, {"file", 1, NULL, 'f'}, {"mirror", 0, NULL, 'm'},
		{"mount", 1, NULL, 'M'}, {"force", 0, NULL, 'F'}, {"quota", 1, NULL, 'q'}, {0}};
	struct pool_spec p = {0};
	struct pool_status st;
	struct err e = ERR_INIT;
	char text[16];

	for (int o; (o = getopt_long(argc, argv, "s:f:mM:Fq:", lo, NULL)) != -1;) {
		switch (o) {
		case 's':
			if (str_to_bytes(optarg, &p.size) < 0 || !p.size)
				return usage("create", "\"%s\" is not a size", optarg);
			break;
		case 'f':
			p.file = optarg;
			break;
		case 'm':
			p.mirror = true;
			break;
		case 'M':
			p.mount = optarg;
			break;
		case 'F':
			p.force = true;
			break;
		case 'q':
			p.quota = optarg;
			break;
		default:
			return usage("create", NULL);
		}
	}
	p.devs = (const char *const *)argv + optind;
	p.ndevs = (size_t)(argc - optind);
	if (p.size && (p.ndevs || p.mount))
		return usage("create", "a size is for a file only");
	if (pool_create(c, &p, &e) < 0 || pool_status(c, &st, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Created the pool at %s: %s on %s, %s quotas", c->node.pool, str_from_bytes(st.size, text), st.backing, st.quota);
	return 0;
}

static json_t *status_json(const struct pool_status *st, const char *mount)
{
	static const char *const cap[] = {"squota", "qgroup", "send", "mirror", "compress", "reflink"};
	json_t *caps = json_array(), *devs = json_array();

	for (size_t i = 0; i < ARRAY_LEN(cap); i++)
		if (st->caps & 1u << i)
			json_array_append_new(caps, json_string(cap[i]));
	for (unsigned i = 0; i < st->ndevs; i++)
		json_array_append_new(devs, json_pack("{s:s, s:I, s:I, s:b}", "path", st->dev[i].path, "size",
						      (json_int_t)st->dev[i].bytes, "errors", (json_int_t)st->dev[i].errors, "missing",
						      st->dev[i].missing));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:o, s:o}", "v", 1, "name", "zones",
			 "state", st->state, "driver", st->driver, "kind", st->kind, "backing", st->backing, "fsid", st->fsid,
			 "mountpoint", mount, "size", (json_int_t)st->size, "used", (json_int_t)st->used, "available",
			 (json_int_t)(st->size - st->used), "reserve", (json_int_t)st->reserve, "warning", (int)st->warn, "capabilities",
			 caps, "devices", devs);
}

static void status_text(const struct ctx *c, const struct pool_status *st)
{
	char size[16], used[16], left[16];

	printf("pool     zones at %s\nstate    %s\nbacking  %s on %s (%s)\n", c->node.pool, st->state, st->driver, st->backing, st->kind);
	if (!strcmp(st->state, "MISSING"))
		return;
	printf("size     %s, %s used, %s left", str_from_bytes(st->size, size), str_from_bytes(st->used, used),
	       str_from_bytes(st->size - st->used, left));
	if (st->warn)
		printf("  (more than %u %% full)", st->warn);
	printf("\nreserve  %s%s\nquota    %s\n", str_from_bytes(st->reserve, size), st->reserve ? "" : " (used up: the pool is full)",
	       !strcmp(st->quota, "simple") ? "simple" : "full: slow with some hundred snapshots and more");
	for (unsigned i = 0; i < st->ndevs; i++)
		printf("device   %s  %s%s, %llu errors\n", st->dev[i].path, str_from_bytes(st->dev[i].bytes, size),
		       st->dev[i].missing ? ", MISSING" : "", (unsigned long long)st->dev[i].errors);
}

static int status(struct ctx *c, int argc, char **argv)
{
	struct pool_status st;
	struct err e = ERR_INIT;
	char form = 0;

	for (int o; (o = getopt(argc, argv, "jp")) != -1;) {
		if (o == '?')
			return usage("status", NULL);
		form = (char)o;
	}
	if (optind != argc)
		return usage("status", NULL);
	if (pool_status(c, &st, &e) < 0)
		return cmd_fail(c, &e);
	if (form == 'j') {
		json_t *j = status_json(&st, c->node.pool);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
	} else if (form == 'p') {
		printf("zones:%s:%s:%s:%llu:%llu:%llu:%llu:%u\n", st.state, st.driver, st.kind, (unsigned long long)st.size,
		       (unsigned long long)st.used, (unsigned long long)(st.size - st.used), (unsigned long long)st.reserve, st.warn);
	} else {
		status_text(c, &st);
	}
	return strcmp(st.state, "MISSING") && strcmp(st.state, "CREATING") && strcmp(st.state, "DESTROYING") ? 0 : 1;
}

static int import(struct ctx *c, int argc, char **argv)
{
	struct node_import n;
	struct err e = ERR_INIT;

	if (getopt(argc, argv, "") != -1)
		return usage("import", NULL);
	if (node_import(c, (const char *const *)argv + optind, (size_t)(argc - optind), &n, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Attached the pool at %s: %u VMs and %u images imported, %u VMs known already", c->node.pool, n.vms, n.images, n.known);
	if (n.refused)
		cmd_say("%u VMs stayed out: the warnings above say why", n.refused);
	return n.refused ? 1 : 0;
}

static int grow(struct ctx *c, int argc, char **argv)
{
	struct pool_status st;
	struct err e = ERR_INIT;
	uint64_t size = 0;
	char text[16];

	for (int o; (o = getopt(argc, argv, "s:")) != -1;)
		if (o != 's' || str_to_bytes(optarg, &size) < 0)
			return usage("grow", o == 's' ? "\"%s\" is not a size" : NULL, optarg);
	if (optind + 1 == argc && !size && str_to_bytes(argv[optind], &size) == 0)
		optind++;
	if (optind != argc)
		return usage("grow", "\"%s\" is not a size", argv[optind]);
	if (pool_grow(c, size, &e) < 0 || pool_status(c, &st, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("The pool has %s", str_from_bytes(st.size, text));
	return 0;
}

static int add(struct ctx *c, int argc, char **argv)
{
	bool mirror = false, force = false;
	struct err e = ERR_INIT;

	for (int o; (o = getopt(argc, argv, "mF")) != -1;) {
		if (o == '?')
			return usage("add", NULL);
		*(o == 'm' ? &mirror : &force) = true;
	}
	if (argc - optind != 1)
		return usage("add", NULL);
	if (pool_add(c, argv[optind], mirror, force, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Added %s%s", argv[optind], mirror ? "; the pool is mirrored" : "");
	return 0;
}

static int remove_dev(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (getopt(argc, argv, "") != -1 || argc - optind != 1)
		return usage("remove", NULL);
	if (pool_remove(c, argv[optind], &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Removed %s", argv[optind]);
	return 0;
}

static int replace(struct ctx *c, int argc, char **argv)
{
	bool force = false;
	struct err e = ERR_INIT;

	for (int o; (o = getopt(argc, argv, "F")) != -1;) {
		if (o == '?')
			return usage("replace", NULL);
		force = true;
	}
	if (argc - optind != 2)
		return usage("replace", NULL);
	if (pool_replace(c, argv[optind], argv[optind + 1], force, &e) < 0)
		return cmd_fail(c, &e);
	cmd_say("Replaced %s by %s", argv[optind], argv[optind + 1]);
	return 0;
}

static int scrub(struct ctx *c, int argc, char **argv)
{
	struct pool_scrub r;
	struct err e = ERR_INIT;
	char text[16];

	if (getopt(argc, argv, "") != -1 || optind != argc)
		return usage("scrub", NULL);
	if (pool_scrub(c, &r, &e) < 0)
		return cmd_fail(c, &e);
	printf("%s read, %llu errors, %llu corrected, %llu not correctable\n", str_from_bytes(r.bytes, text),
	       (unsigned long long)r.errors, (unsigned long long)r.corrected, (unsigned long long)r.uncorrectable);
	return r.uncorrectable ? 1 : 0;
}

/* ---- destroy ---- */

struct vms {
	const struct ctx *c;
	struct cg_host cg;
	bool have_cg;
	unsigned n, running;
};

static int count(const char *uuid, const char *json, size_t n, void *arg)
{
	struct vms *v = arg;

	v->n++;
	v->running += v->have_cg && cg_zone_populated(&v->cg, uuid) > 0;
	return 0;
}

static int confirm(const struct ctx *c, const struct pool_status *st, const struct vms *v)
{
	char line[64];

	if (!isatty(0)) {
		fprintf(stderr, "cloister pool: destroy: without a terminal to ask on, say --yes\n");
		return 0;
	}
	fprintf(stderr, "This deletes the pool on %s with its images and %u VMs. Nothing brings them back.\nType the pool's name, zones, to go on: ",
		st->backing, v->n);
	if (!fgets(line, sizeof line, stdin))
		return 0;
	line[strcspn(line, "\n")] = 0;
	return !strcmp(line, "zones");
}

static int destroy(struct ctx *c, int argc, char **argv)
{
	static const struct option lo[] = {{"yes", 0, NULL, 'y'}, {"force", 0, NULL, 'F'}, {0}};
	bool yes = false, force = false;
	struct vms v = {.c = c};
	struct pool_status st;
	struct store *s = NULL;
	struct err e = ERR_INIT;
	int r;

	for (int o; (o = getopt_long(argc, argv, "yFf", lo, NULL)) != -1;) {
		if (o == '?')
			return usage("destroy", NULL);
		yes = true;
		force |= o != 'y';
	}
	if (optind != argc)
		return usage("destroy", NULL);
	if (pool_status(c, &st, &e) < 0)
		return cmd_fail(c, &e);
	v.have_cg = cg_host_find(c, &v.cg, NULL) == 0;
	if (store_open(c, &s, NULL) == 0) {
		r = pool_each_record(s, count, &v, &e);
		store_close(&s);
		if (r < 0)
			return cmd_fail(c, &e);
	}
	if (v.running) {
		err_set(&e, EBUSY, "destroy: %u VMs run on it", v.running);
		err_hint(&e, "stop them first: cloister shutdown");
		return cmd_fail(c, &e);
	}
	if (v.n && !force) {
		err_set(&e, ENOTEMPTY, "destroy: %u VMs are on it", v.n);
		err_hint(&e, "delete them first (vmadm delete), or say -F");
		return cmd_fail(c, &e);
	}
	if (!yes && !confirm(c, &st, &v)) {
		fprintf(stderr, "Nothing was changed.\n");
		return 1;
	}
	r = pool_destroy(c, &e);
	cmd_audit(c, "pool destroy", st.fsid, NULL, NULL, r);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say("Destroyed the pool on %s", st.backing);
	return 0;
}

static const struct verb verbs[] = {
	{"create", "[-s SIZE] [-f FILE] [-q simple|full] | [-m] [-F] DEVICE… | -M MOUNT", create},
	{"import", "[FILE | DEVICE… | FOLDER]", import},
	{"status", "[-j | -p]", status},
	{"grow", "[SIZE]", grow},
	{"add", "[-m] [-F] DEVICE", add},
	{"remove", "DEVICE", remove_dev},
	{"replace", "[-F] OLD|missing DEVICE", replace},
	{"scrub", "", scrub},
	{"destroy", "[--yes] [-F]", destroy},
};

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int run(struct ctx *c, int argc, char **argv)
{
	const struct verb *v = argc > 1 ? verb_find(argv[1]) : NULL;
	_free_ char *called = v ? xprintf("cloister pool %s", v->name) : NULL;

	if (v) {
		argv[1] = called;
		return v->run(c, argc - 1, argv + 1);
	}
	if (argc > 1)
		fprintf(stderr, "cloister pool: unknown verb \"%s\"\n", argv[1]);
	fprintf(stderr, "usage:\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(stderr, "  cloister pool %s %s\n", verbs[i].name, verbs[i].synopsis);
	return 2;
}

CMD(cloister_pool, "cloister", "pool", "create|import|status|grow|add|remove|replace|scrub|destroy [option…]",
    "make and look after the node's pool", CMD_NONE, run);
