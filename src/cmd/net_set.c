/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/net_set.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "node/fw.h"
#include "node/router.h"

/* The object that there is, or a new one. */
static int load(struct state *st, const struct switch_name *n, json_t **was, json_t **now, struct err *e)
{
	struct err miss = ERR_INIT;
	int r = state_net_get(st, "switch", n->name, was, &miss);

	if (r < 0 && r != -ENOENT) {
		*e = miss;
		return r;
	}
	*now = *was ? json_deep_copy(*was) : json_object();
	json_object_set_new(*now, "tag", json_string(n->tag.name));
	json_object_set_new(*now, "vlan_id", json_integer(n->vlan));
	return 0;
}

static bool empty(const json_t *set)
{
	for (size_t i = 0; netset_key(i); i++)
		if (json_object_get(set, netset_key(i)))
			return false;
	return true;
}

static int keep(struct state *st, const struct switch_name *n, const json_t *set, struct err *e)
{
	return !set || empty(set) ? state_net_delete(st, "switch", n->name, e) : state_net_put(st, "switch", n->name, set, e);
}

struct leased {
	const struct switch_name *n;
	char vm[37];
};

static int lease_seen(const char *mac, const json_t *v, void *arg)
{
	struct leased *l = arg;

	/* what a server outside gave it stays so */
	if (!json_object_get(v, "outside") && str_eq(json_string_value(json_object_get(v, "tag")), l->n->tag.name) &&
	    json_integer_value(json_object_get(v, "vlan")) == (json_int_t)l->n->vlan)
		snprintf(l->vm, sizeof l->vm, "%s", json_string_value(json_object_get(v, "vm")) ?: mac);
	return 0;
}

/* Who asks for an address where nobody gives any doesn't boot, and can't be updated. */
static int asked_for(struct state *st, const struct switch_name *n, struct err *e)
{
	struct leased l = {.n = n};
	int r = state_net_each(st, "lease", lease_seen, &l, e);

	if (r < 0 || !*l.vm)
		return r;
	err_set(e, EBUSY, "VM %s has an address from dhcp here", l.vm);
	return err_hint(e, "Give its NIC an address first; -f switches dhcp off all the same, and the VM does not boot until it is on again.");
}

static int look(struct state *st, const struct switch_name *n, const json_t *now, bool force, struct err *e)
{
	struct netset *s = xalloc(sizeof *s);
	int r = netset_parse(now, s, e);

	if (r == 0 && s->mtu > n->tag.mtu)
		r = err_set(e, EINVAL, "mtu %u is above that of nic tag %s, %u", s->mtu, n->tag.name, n->tag.mtu);
	if (r == 0 && !force && !s->dhcp)
		r = asked_for(st, n, e);
	if (r == 0 && !force)
		r = netset_free(st, n, s, e);
	free(s);
	return r;
}

/* What the settings ask for and can't have yet is said. */
static void tell(struct ctx *c, struct state *st, const struct switch_name *n, const json_t *now)
{
	_buf_ struct buf b = BUF_INIT;
	struct netset *s = xalloc(sizeof *s);
	struct err e = ERR_INIT;
	char host_if[16], *save = NULL;

	if (netset_parse(now, s, NULL) < 0) {
		free(s);
		return;
	}
	for (unsigned i = 0; i < s->nforwards; i++)
		if (s->forwards[i].named && router_target(st, n->tag.id, s, &s->forwards[i], &e) < 0)
			cmd_say("switch %s: %s:%u goes nowhere for now: %s", n->name, s->forwards[i].udp ? "udp" : "tcp", s->forwards[i].port, e.msg);
	if (s->nat && router_look(c, st, host_if, &b, &e) > 0 && b.len)
		for (char *line = strtok_r(b.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			cmd_say("switch %s: nat: %s", n->name, line);
	free(s);
}

/*
 * Ends what open_named() has begun; r: what has come of it so far. Kept first, then made: who is killed between the two finds it made by
 * the next command that needs it.
 */
static int change(struct ctx *c, struct state *st, const struct switch_name *n, json_t *was, json_t *now, bool force, int r, struct err *e)
{
	_free_ char *before = was ? json_dumps(was, JSON_COMPACT) : NULL, *after = json_dumps(now, JSON_COMPACT);
	/* what zones form of it is in the firewall's sets */
	bool moves = !json_equal(json_object_get(was, "subnet6"), json_object_get(now, "subnet6"));

	if (r == 0)
		r = look(st, n, now, force, e);
	if (r == 0 && moves)
		r = fwaddr_doubt(c, e);
	if (r == 0)
		r = keep(st, n, now, e);
	r = state_end(st, r, e);
	if (r < 0)
		return r;
	r = router_sync(c, st, NULL, e);
	if (r == 0 && moves)
		r = fwaddr_moved(c, st, e);
	if (r < 0) {
		keep(st, n, was, NULL);
		router_sync(c, st, NULL, NULL);
		if (moves)
			fwaddr_moved(c, st, NULL);
	}
	cmd_audit(c, "net set", n->name, before, after, r);
	if (r == 0)
		tell(c, st, n, now);
	return r;
}

/* Begins a transaction: two commands that set different keys of one switch at a time both have their way. */
static int open_named(struct ctx *c, const char *text, struct state **st, struct switch_name *n, json_t **was, json_t **now, struct err *e)
{
	int r = state_open(c, STATE_WRITE, st, e);

	if (r == 0)
		r = netset_name(*st, text, n, e);
	if (r == 0)
		r = state_begin(*st, e);
	if (r < 0)
		return r;
	r = load(*st, n, was, now, e);
	return r < 0 ? state_end(*st, r, e) : 0;
}

static void json_done(json_t **j)
{
	json_decref(*j);
}

/* -f and what follows: 0, or the usage's exit status. */
static int options(int argc, char **argv, bool *force)
{
	int o;

	optind = 1;
	while ((o = getopt(argc, argv, "+f")) >= 0) {
		if (o != 'f')
			return cmd_usage("cloister", "net", NULL);
		*force = true;
	}
	return 0;
}

int net_set(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_clean_(json_done) json_t *was = NULL, *now = NULL;
	struct switch_name n;
	struct err e = ERR_INIT;
	bool force = false, begun;
	int r = options(argc, argv, &force), i;

	if (r)
		return r;
	for (i = optind + 1; i < argc; i++)
		if (!strchr(argv[i], '='))
			return cmd_usage("cloister", "net", "\"%s\" is not key=value", argv[i]);
	if (argc - optind < 2)
		return cmd_usage("cloister", "net", "set needs a nic tag and key=value");
	r = open_named(c, argv[optind], &st, &n, &was, &now, &e);
	begun = r == 0;
	for (i = optind + 1; r == 0 && i < argc; i++) {
		_free_ char *key = xstrdup(argv[i]);
		char *eq = strchr(key, '=');

		*eq = 0;
		r = netset_put(now, key, eq + 1, &e);
	}
	if (r == 0)
		netset_defaults(now);
	if (begun)
		r = change(c, st, &n, was, now, force, r, &e);
	if (r < 0) {
		err_add(&e, "switch %s", argv[optind]);
		return cmd_fail(c, &e);
	}
	return 0;
}

int net_unset(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_clean_(json_done) json_t *was = NULL, *now = NULL;
	struct switch_name n;
	struct err e = ERR_INIT;
	bool force = false, begun;
	int r = options(argc, argv, &force);

	if (r)
		return r;
	if (argc - optind < 1)
		return cmd_usage("cloister", "net", "unset needs a nic tag");
	r = open_named(c, argv[optind], &st, &n, &was, &now, &e);
	begun = r == 0;
	if (begun && argc - optind == 1)
		json_object_clear(now);
	for (int i = optind + 1; r == 0 && i < argc; i++)
		r = netset_put(now, argv[i], "", &e);
	if (begun)
		r = change(c, st, &n, was, now, force, r, &e);
	if (r < 0) {
		err_add(&e, "switch %s", argv[optind]);
		return cmd_fail(c, &e);
	}
	return 0;
}

/* ---- shown ---- */

static void show_value(const char *name, const char *key, const json_t *v)
{
	size_t i;
	json_t *o;

	printf("%-20s%-12s", name, key);
	if (json_is_string(v))
		printf("%s", json_string_value(v));
	else if (json_is_boolean(v))
		printf("%s", json_is_true(v) ? "on" : "off");
	else if (json_is_integer(v))
		printf("%lld", (long long)json_integer_value(v));
	json_array_foreach(v, i, o) printf("%s%s", i ? "," : "", json_string_value(o) ?: "");
	printf("\n");
}

static int show(const char *name, const json_t *set, void *arg)
{
	json_t *all = arg;

	if (all) {
		json_object_set_new(all, name, json_deep_copy(set));
		return 0;
	}
	for (size_t i = 0; netset_key(i); i++)
		if (json_object_get(set, netset_key(i)))
			show_value(name, netset_key(i), json_object_get(set, netset_key(i)));
	return 0;
}

int net_get(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_clean_(json_done) json_t *set = NULL, *all = NULL;
	struct switch_name n;
	struct err e = ERR_INIT;
	int o, r;

	optind = 1;
	while ((o = getopt(argc, argv, "+j")) >= 0) {
		if (o != 'j')
			return cmd_usage("cloister", "net", NULL);
		if (!all)
			all = json_object();
	}
	if (argc - optind > 1)
		return cmd_usage("cloister", "net", "get takes one nic tag at most");
	r = state_open(c, STATE_READ, &st, &e);
	if (r == -ENOENT && optind < argc) /* a node without a database */
		err_set(&e, ENOENT, "nic tag \"%s\" does not exist", argv[optind]);
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return cmd_fail(c, &e);
	if (optind < argc) {
		r = netset_name(st, argv[optind], &n, &e);
		if (r == 0 && state_net_get(st, "switch", n.name, &set, &e) < 0)
			r = err_set(&e, ENOENT, "switch %s has no settings", n.name);
		if (r == 0 && all)
			json_object_update(all, set);
		else if (r == 0)
			show(n.name, set, NULL);
	} else if (st) {
		r = state_net_each(st, "switch", show, all, &e);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	if (all) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		printf("\n");
	}
	return 0;
}
