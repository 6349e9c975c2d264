/* SPDX-License-Identifier: MPL-2.0 */
/*
 * flowadm add-flow, remove-flow, set-flowprop, reset-flowprop: what packets of a VNIC have in common, and a ceiling or priority of their own. As
 * illumos's flowadm(8); kept, and in force at once where the zone runs.
 */
#include "cmd/flowadm.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_arg.h"
#include "model/vm.h"

/* ---- which ---- */

/* Of a zone that was named, running or not. */
static int link_of_zone(struct ctx *c, struct state *st, const char *zone, const char *nic, struct fl_want *w, struct err *e)
{
	json_t *rec = NULL;
	int r = zone_arg(c, zone, w->uuid, e);

	if (r == 0)
		r = state_vm_get(st, w->uuid, &rec, NULL, NULL, e);
	if (r == 0 && !flow_nic(rec, nic))
		r = err_set(e, ENOENT, "VM %s has no NIC %s", w->uuid, nic);
	if (r == 0)
		snprintf(w->nic, sizeof w->nic, "%s", nic);
	json_decref(rec);
	return r;
}

int fl_link(struct ctx *c, struct state *st, struct fl_want *w, struct err *e)
{
	const char *slash = strchr(w->link, '/');
	_free_ char *zone = slash ? xprintf("%.*s", (int)(slash - w->link), w->link) : w->zone ? xstrdup(w->zone) : NULL;
	struct link_view v;
	int r;

	if (zone)
		return link_of_zone(c, st, zone, slash ? slash + 1 : w->link, w, e);
	r = dl_link_one(c, st, w->link, NULL, &v, e);
	if (r < 0)
		return r;
	if (v.class != LINK_CLASS_VNIC || !v.uuid[0])
		return err_set(e, ENOTSUP, "%s: flows are of the VNICs of zones alone", w->link);
	snprintf(w->uuid, sizeof w->uuid, "%s", v.uuid);
	snprintf(w->nic, sizeof w->nic, "%.15s", v.name);
	return 0;
}

struct each {
	const char *name;
	int (*each)(const struct flow *, void *);
	void *arg;
	bool found;
};

static int one(const struct flow *f, void *arg)
{
	struct each *a = arg;

	if (a->name && !str_eq(a->name, f->name))
		return 0;
	a->found = true;
	return a->each(f, a->arg);
}

int fl_each(struct ctx *c, struct state *st, struct fl_want *w, int (*each)(const struct flow *, void *), void *arg, struct err *e)
{
	struct each a = {w->name, each, arg, false};
	int r = 0;

	if (!st)
		return w->name ? err_set(e, ENOENT, "flow %s does not exist", w->name) : 0;
	if (w->link)
		r = fl_link(c, st, w, e);
	else if (w->zone)
		r = zone_arg(c, w->zone, w->uuid, e);
	if (r == 0)
		r = flow_each(st, w->uuid[0] ? w->uuid : NULL, w->nic[0] ? w->nic : NULL, one, &a, e);
	return r < 0 || !w->name || a.found ? r : err_set(e, ENOENT, "flow %s does not exist", w->name);
}

/* ---- add-flow ---- */

static int add(struct ctx *c, struct state *st, struct fl_want *w, const char *attrs, const char *props, struct err *e)
{
	json_t *f = json_object(), *old = NULL;
	int r = flow_name_check(w->name, e);

	if (r == 0 && flow_get(st, w->name, &old, NULL) == 0)
		r = err_set(e, EEXIST, "flow %s already exists", w->name);
	if (r == 0)
		r = flow_parse(attrs, FLOW_ATTRS, f, e);
	if (r == 0 && props)
		r = flow_parse(props, FLOW_PROPS, f, e);
	if (r == 0)
		r = fl_link(c, st, w, e);
	if (r == 0) {
		json_object_set_new(f, "vm", json_string(w->uuid));
		json_object_set_new(f, "nic", json_string(w->nic));
		r = flow_change(c, st, w->name, f, e);
	}
	json_decref(old);
	json_decref(f);
	return r;
}

static int run_add(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	const char *attrs = NULL, *props = NULL;
	struct fl_want w = {0};
	struct err e = ERR_INIT;
	int o;

	while ((o = getopt(argc, argv, "l:z:a:p:")) >= 0) {
		if (o == 'l')
			w.link = optarg;
		else if (o == 'z')
			w.zone = optarg;
		else if (o == 'a' && !attrs)
			attrs = optarg;
		else if (o == 'p' && !props)
			props = optarg;
		else
			return cmd_usage("flowadm", "add-flow", NULL);
	}
	if (!w.link || !attrs || argc - optind != 1)
		return cmd_usage("flowadm", "add-flow", !w.link ? "-l says of which link" : !attrs ? "-a says of which packets" : NULL);
	w.name = argv[optind];
	if (state_open(c, STATE_WRITE, &st, &e) < 0 || add(c, st, &w, attrs, props, &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "flowadm add-flow", w.name, NULL, NULL, 0);
	return 0;
}
CMD(flowadm_add, "flowadm", "add-flow", "[-z <zone>] -l <link> -a <attr>=<value>[,…] [-p <prop>=<value>[,…]] <flow>",
    "make a flow of a VNIC: transport, local_port, remote_port, local_ip, remote_ip, dsfield; maxbw, priority", CMD_NONE, run_add);

/* ---- remove-flow ---- */

struct names {
	char (*name)[FLOW_NAME_MAX + 1];
	size_t n;
};

static int note(const struct flow *f, void *arg)
{
	struct names *l = arg;

	l->name = xrealloc(l->name, (l->n + 1) * sizeof *l->name);
	snprintf(l->name[l->n++], sizeof *l->name, "%s", f->name);
	return 0;
}

static int run_remove(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct fl_want w = {0};
	struct names l = {0};
	struct err e = ERR_INIT;
	int o, r;

	while ((o = getopt(argc, argv, "l:z:")) >= 0) {
		if (o == 'l')
			w.link = optarg;
		else if (o == 'z')
			w.zone = optarg;
		else
			return cmd_usage("flowadm", "remove-flow", NULL);
	}
	if (argc - optind > 1 || (argc == optind && !w.link && !w.zone))
		return cmd_usage("flowadm", "remove-flow", NULL);
	w.name = argc > optind && !str_eq(argv[optind], "all") ? argv[optind] : NULL;
	r = state_open(c, STATE_WRITE, &st, &e);
	if (r == 0)
		r = fl_each(c, st, &w, note, &l, &e);
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		r = flow_change(c, st, l.name[i], NULL, &e);
		if (r >= 0)
			cmd_audit(c, "flowadm remove-flow", l.name[i], NULL, NULL, 0);
	}
	free(l.name);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(flowadm_remove, "flowadm", "remove-flow", "[-z <zone>] [-l <link>] <flow>|all", "take flows away", CMD_NONE, run_remove);

/* ---- set-flowprop, reset-flowprop ---- */

static int reset(const char *props, json_t *f, struct err *e)
{
	_free_ char *copy = xstrdup(props ?: "maxbw,priority");
	char *save = NULL;

	for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (!str_eq(p, "maxbw") && !str_eq(p, "priority"))
			return err_set(e, EINVAL, "\"%s\" is no property of a flow", p);
		json_object_del(f, p);
	}
	return 0;
}

static int change(struct ctx *c, int argc, char **argv, bool set)
{
	const char *verb = set ? "set-flowprop" : "reset-flowprop", *props = NULL;
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	json_t *f = NULL;
	int o, r;

	while ((o = getopt(argc, argv, "p:")) >= 0) {
		if (o != 'p' || props)
			return cmd_usage("flowadm", verb, NULL);
		props = optarg;
	}
	if (argc - optind != 1 || (set && !props))
		return cmd_usage("flowadm", verb, NULL);
	r = state_open(c, STATE_WRITE, &st, &e);
	if (r == 0)
		r = flow_get(st, argv[optind], &f, &e);
	if (r == 0)
		r = set ? flow_parse(props, FLOW_PROPS, f, &e) : reset(props, f, &e);
	if (r == 0)
		r = flow_change(c, st, argv[optind], f, &e);
	json_decref(f);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, set ? "flowadm set-flowprop" : "flowadm reset-flowprop", argv[optind], NULL, NULL, 0);
	return 0;
}

static int run_set(struct ctx *c, int argc, char **argv)
{
	return change(c, argc, argv, true);
}
CMD(flowadm_set, "flowadm", "set-flowprop", "-p <prop>=<value>[,…] <flow>", "set maxbw (100K to 1000G) or priority (low, medium, high)", CMD_NONE, run_set);

static int run_reset(struct ctx *c, int argc, char **argv)
{
	return change(c, argc, argv, false);
}
CMD(flowadm_reset, "flowadm", "reset-flowprop", "[-p <prop>[,…]] <flow>", "take maxbw, priority or both away", CMD_NONE, run_reset);
