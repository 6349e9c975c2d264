/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zoneadm: the illumos face of a VM's life. It does what vmadm does, but leaves autoboot as it was (there, autoboot
 * belongs to the configuration, and booting or halting a zone does not touch it).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_arg.h"
#include "model/vm.h"
#include "node/vmops.h"
#include "state/state.h"
#include "zone/self.h"
#include "zone/zone.h"

/* ---- list ---- */

struct row {
	char *uuid, *name, *state, *path, *brand;
	uint64_t id; /* UINT64_MAX = does not run */
};
struct rows {
	const struct ctx *c;
	struct row *v;
	size_t n, cap;
};

static void rows_done(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].uuid);
		free(r->v[i].name);
		free(r->v[i].state);
		free(r->v[i].path);
		free(r->v[i].brand);
	}
	free(r->v);
}

static struct row *row_new(struct rows *r)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->v = xrealloc(r->v, r->cap * sizeof *r->v);
	}
	r->v[r->n] = (struct row){.id = UINT64_MAX};
	return &r->v[r->n++];
}

/* The stored state in illumos' words. */
static const char *zone_state(const char *stored)
{
	if (!strcmp(stored, "provisioning") || !strcmp(stored, "failed"))
		return "incomplete";
	return !strcmp(stored, "stopped") ? "installed" : stored;
}

static int each_vm(const struct vm_row *vm, void *arg)
{
	struct rows *r = arg;
	struct row *x = row_new(r);

	x->uuid = xstrdup(vm->uuid);
	x->name = xstrdup(vm->zonename ?: vm->uuid);
	x->state = xstrdup(zone_state(vm->state));
	x->path = xprintf("%s/%s", r->c->node.pool, vm->uuid);
	x->brand = xstrdup(vm->brand);
	return 0;
}

/* Rows come by uuid, so what runs finds its row by bisection: one scan of the run time state for all. */
static int by_uuid(const void *key, const void *row)
{
	return strcmp(key, ((const struct row *)row)->uuid);
}

static int each_run(const char *uuid, const struct zone_run *run, void *arg)
{
	struct rows *r = arg;
	struct row *x = r->n ? bsearch(uuid, r->v, r->n, sizeof *r->v, by_uuid) : NULL;

	if (x && run->running) {
		x->id = run->zoneid;
		free(x->state);
		x->state = xstrdup(run->halting ? "shutting_down" : "running");
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->uuid, y->uuid);
}

static void print_row(const struct row *x, enum zone_line_form f)
{
	const struct zone_line z = {x->id, x->name, x->state, x->path, x->uuid, x->brand};
	_buf_ struct buf out = BUF_INIT;

	zone_line(&z, f, &out);
	fputs(buf_str(&out), stdout);
}

static bool listed(const struct row *x, bool all, bool installed)
{
	if (all || x->id != UINT64_MAX)
		return true;
	return installed && strcmp(x->state, "configured") != 0 && strcmp(x->state, "incomplete") != 0;
}

static int list(struct ctx *c, int argc, char **argv, const char *zone)
{
	bool all = false, installed = false, parseable = false, verbose = false;
	struct rows r = {.c = c};
	struct state *s = NULL;
	struct err e = ERR_INIT;
	char uuid[UUID_LEN + 1] = "";
	_buf_ struct buf out = BUF_INIT;
	enum zone_line_form form;
	struct row *x;
	int k, n;

	optind = 1;
	while ((k = getopt(argc, argv, "cinpv")) != -1) {
		if (k == '?')
			return cmd_usage("zoneadm", "", "list: unknown option -%c", optopt);
		all = all || k == 'c';
		installed = installed || k == 'i';
		parseable = parseable || k == 'p';
		verbose = verbose || k == 'v';
	}
	if (optind < argc || (parseable && verbose))
		return cmd_usage("zoneadm", "", optind < argc ? "list takes no words" : "list: -p or -v, not both");
	form = parseable ? ZONE_LINE_PARSEABLE : verbose ? ZONE_LINE_VERBOSE : ZONE_LINE_NAME;
	n = zone_self_list(zone, form, &out, &e);
	if (n < 0)
		return cmd_fail(c, &e);
	if (n > 0) {
		fputs(buf_str(&out), stdout);
		return 0;
	}
	if (zone && strcmp(zone, "global") != 0 && zone_arg(c, zone, uuid, &e) < 0)
		return cmd_fail(c, &e);
	n = state_open(c, STATE_READ, &s, &e);
	if (n == 0)
		n = state_vm_each(s, 0, each_vm, &r, &e);
	else if (n == -ENOENT)
		n = 0;
	if (n == 0)
		n = zone_each(c, each_run, &r, &e);
	state_close(&s);
	if (n < 0) {
		rows_done(&r);
		return cmd_fail(c, &e);
	}
	x = row_new(&r);
	*x = (struct row){xstrdup(""), xstrdup("global"), xstrdup("running"), xstrdup("/"), xstrdup("liveimg"), 0};
	qsort(r.v, r.n, sizeof *r.v, by_id);
	zone_line_header(form, &out);
	fputs(buf_str(&out), stdout);
	k = 0;
	for (size_t i = 0; i < r.n; i++) {
		if (zone ? strcmp(r.v[i].uuid, uuid) != 0 : !listed(&r.v[i], all, installed))
			continue;
		print_row(&r.v[i], form);
		k++;
	}
	rows_done(&r);
	if (zone && k == 0) {
		err_set(&e, ENOENT, "%s: No such zone configured", zone);
		return cmd_fail(c, &e);
	}
	return 0;
}

/* ---- the life of one zone ---- */

static int autoboot_of(const struct ctx *c, const char *uuid)
{
	_json_ json_t *rec = NULL;
	struct state *s = NULL;
	int on = -1;

	if (state_open(c, STATE_READ, &s, NULL) == 0 && state_vm_get(s, uuid, &rec, NULL, NULL, NULL) == 0)
		on = vm_bool(rec, "autoboot", false);
	state_close(&s);
	return on;
}

static int keep_autoboot(const struct ctx *c, const char *uuid, int was, struct err *e)
{
	struct state *s = NULL;
	int r;

	if (was < 0 || autoboot_of(c, uuid) == was)
		return 0;
	r = state_open(c, STATE_WRITE, &s, e);
	if (r == 0)
		r = state_vm_set_autoboot(s, uuid, was, e);
	state_close(&s);
	return r < 0 ? r : 0;
}

static int verify(struct ctx *c, const char *uuid, struct err *e)
{
	_json_ json_t *rec = NULL, *again = NULL;
	_free_ char *text = NULL;
	struct state *s = NULL;
	int r = state_open(c, STATE_READ, &s, e);

	if (r == 0)
		r = state_vm_get(s, uuid, &rec, NULL, NULL, e);
	state_close(&s);
	if (r < 0)
		return r;
	text = vm_record_text(rec);
	r = vm_record_load(text, strlen(text), &again, e);
	return r < 0 ? r : vm_available(again, e);
}

static int life(struct ctx *c, const char *verb, const char *uuid, struct err *e)
{
	int was = autoboot_of(c, uuid), r;

	if (!strcmp(verb, "boot"))
		r = vm_start(c, uuid, NULL, e);
	else if (!strcmp(verb, "reboot"))
		return vm_reboot(c, uuid, true, e); /* as there: at once; shutdown -r is the orderly one */
	else
		r = vm_stop(c, uuid, !strcmp(verb, "halt"), -1, e);
	if (r == 0 || r == 1) {
		struct err le = ERR_INIT;

		if (keep_autoboot(c, uuid, was, &le) < 0) {
			*e = le;
			return -le.code;
		}
	}
	return r;
}

static int verb_run(struct ctx *c, int argc, char **argv, const char *zone)
{
	const char *verb = argv[0], *opt = argc > 1 ? argv[1] : NULL;
	char uuid[UUID_LEN + 1];
	struct err e = ERR_INIT;
	int r;

	if (!zone)
		return cmd_usage("zoneadm", "", "%s: which zone? zoneadm -z ZONE %s", verb, verb);
	if (!strcmp(verb, "uninstall")) {
		if (!opt || strcmp(opt, "-F") != 0 || argc > 2)
			return cmd_usage("zoneadm", "", "uninstall deletes the zone and all its data: say -F");
	} else if (!strcmp(verb, "shutdown") && opt && !strcmp(opt, "-r") && argc == 2) {
		verb = "shutdown -r";
	} else if (opt) {
		return cmd_usage("zoneadm", "", "%s: unexpected \"%s\"", verb, opt);
	}
	if (geteuid() != 0) {
		err_set(&e, EPERM, "only root may %s a zone", verb);
		return cmd_fail(c, &e);
	}
	if (!strcmp(zone, "global")) {
		err_set(&e, EINVAL, "%s operation is invalid for the global zone.", verb);
		return cmd_fail(c, &e);
	}
	r = zone_arg(c, zone, uuid, &e);
	if (r == 0 && strcmp(verb, "verify") != 0)
		r = node_recover(c, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	if (!strcmp(verb, "verify"))
		r = verify(c, uuid, &e);
	else if (!strcmp(verb, "uninstall"))
		r = vm_delete(c, uuid, &e);
	else if (!strcmp(verb, "shutdown -r"))
		r = vm_reboot(c, uuid, false, &e);
	else
		r = life(c, verb, uuid, &e);
	if (strcmp(verb, "verify") != 0) {
		_free_ char *what = xprintf("zoneadm %s", verb);

		cmd_audit(c, what, uuid, NULL, NULL, r);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	if (r == 1) {
		cmd_say("zoneadm: zone '%s': %s", zone, !strcmp(verb, "boot") ? "is already booted" : "is already halted");
		return !strcmp(verb, "boot") ? 1 : 0; /* as illumos: booting what runs is an error, halting what is off is not */
	}
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	static const char *const verbs[] = {"boot", "halt", "reboot", "shutdown", "verify", "uninstall"};
	const char *zone = NULL;
	int k;

	optind = 1;
	while ((k = getopt(argc, argv, "+:z:u:")) != -1) {
		if (k == ':' || k == '?')
			return cmd_usage("zoneadm", "", k == ':' ? "-%c wants a value" : "unknown option -%c", optopt);
		zone = optarg;
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return cmd_usage("zoneadm", "", NULL);
	if (!strcmp(argv[0], "list"))
		return list(c, argc, argv, zone);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(argv[0], verbs[i]))
			return verb_run(c, argc, argv, zone);
	if (!strcmp(argv[0], "ready"))
		return cmd_usage("zoneadm", "", "ready is not available: here a zone has nothing between installed and running");
	return cmd_usage("zoneadm", "", "\"%s\" is not available: %s", argv[0], "vmadm creates, clones and changes zones");
}

CMD(zoneadm, "zoneadm", "",
    "list [-civp] | -z <uuid|alias> list | boot | halt | reboot | shutdown [-r] | verify | uninstall -F",
    "list zones and move one through its states; autoboot stays as it is", CMD_VM, run);
