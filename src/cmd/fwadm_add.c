/* SPDX-License-Identifier: MPL-2.0 */
/* fwadm add, update, add-rvm: rules and remote VMs from words of the command line or from JSON. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/fwadm.h"
#include "cmd/vmadm.h"
#include "model/vm.h"

struct add {
	struct ctx *c;
	bool update, rvms;
	struct fwadm_do how;
	const char *file, *uuid;
	json_t *words;         /* what options and words say of one rule */
	bool said;             /* options did */
	struct state *st;
	struct fw_change ch;
	struct err *e;
};

static const struct option longs[] = {
	{"enable", no_argument, NULL, 'e'},  {"global", no_argument, NULL, 'g'},         {"owner_uuid", required_argument, NULL, 'O'},
	{"log", no_argument, NULL, 'l'}, {"no-log", no_argument, NULL, 'L'},
	{"desc", required_argument, NULL, 'd'}, {"dry-run", no_argument, NULL, 'n'},       {"dryrun", no_argument, NULL, 'n'},
	{"json", no_argument, NULL, 'j'},    {"file", required_argument, NULL, 'f'},      {NULL, 0, NULL, 0},
};

static int say(struct add *a, const char *key, json_t *v)
{
	a->said = true;
	return json_object_set_new(a->words, key, v);
}

static int option(struct add *a, int o)
{
	switch (o) {
	case 'e':
		return say(a, "enabled", json_true());
	case 'l':
	case 'L':
		return say(a, "log", json_boolean(o == 'l'));
	case 'g':
		return say(a, "global", json_true());
	case 'O':
		return say(a, "owner_uuid", json_string(optarg));
	case 'd':
		return say(a, "description", json_string(optarg));
	case 'n':
		a->how.dry = true;
		return 0;
	case 'j':
		a->how.json = true;
		return 0;
	case 'f':
		a->file = optarg;
		return 0;
	}
	return -1;
}

static int arguments(struct add *a, int argc, char **argv)
{
	_buf_ struct buf rule = BUF_INIT;
	int o;

	while ((o = getopt_long(argc, argv, a->rvms ? "njf:" : "egO:d:njf:", longs, NULL)) >= 0)
		if (option(a, o) < 0)
			return cmd_usage("fwadm", argv[0], NULL);
	if (a->update && optind < argc) {
		a->uuid = argv[optind++];
		if (!uuid_valid(a->uuid))
			return cmd_usage("fwadm", argv[0], "\"%.64s\" is not a uuid", a->uuid);
	}
	for (; optind < argc; optind++)
		buf_printf(&rule, "%s%s", rule.len ? " " : "", argv[optind]);
	if (rule.len && a->rvms)
		return cmd_usage("fwadm", argv[0], "a remote VM comes from -f or standard input");
	if (rule.len)
		say(a, "rule", json_string(buf_str(&rule)));
	if (a->said && a->file)
		return cmd_usage("fwadm", argv[0], "either -f or a rule on the command line");
	if (a->said && !a->update && !rule.len)
		return cmd_usage("fwadm", argv[0], "no rule");
	if (a->said && a->update && !a->uuid)
		return cmd_usage("fwadm", argv[0], "which rule?");
	return json_object_get(a->words, "rule") || !rule.len ? 0 : cmd_usage("fwadm", argv[0], "a rule is UTF-8");
}

static bool has(const json_t *list, const char *uuid)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
		if (str_eq(vm_str(o, "uuid"), uuid))
			return true;
	return false;
}

static int one_rule(struct add *a, const json_t *payload)
{
	_json_ json_t *old = NULL, *out = NULL;
	const char *uuid = a->uuid ?: vm_str(payload, "uuid");
	int r = 0;

	if (a->update && !uuid)
		return err_set(a->e, EINVAL, "uuid: it is missing");
	if (a->update)
		r = fwadm_get(a->st, "rule", uuid, &old, a->e);
	if (r == 0)
		r = fwobj_rule(payload, old, &out, a->e);
	if (r < 0)
		return r;
	if (!a->update && state_net_get(a->st, "rule", vm_str(out, "uuid"), &old, NULL) == 0)
		return err_set(a->e, EEXIST, "rule %s exists already", vm_str(out, "uuid"));
	if (old)
		json_object_set(a->ch.seen, vm_str(old, "uuid"), old);
	if (has(a->ch.rules, vm_str(out, "uuid")))
		return err_set(a->e, EINVAL, "rule %s is there twice", vm_str(out, "uuid"));
	if (!a->ch.rules)
		a->ch.rules = json_array();
	return json_array_append(a->ch.rules, out);
}

static int one_rvm(struct add *a, const json_t *payload)
{
	_json_ json_t *old = NULL, *out = NULL;
	const char *uuid = vm_str(payload, "uuid");
	int r = a->update && uuid ? fwadm_get(a->st, "rvm", uuid, &old, a->e) : 0;

	if (r == 0)
		r = fwobj_rvm(payload, old, &out, a->e);
	if (r < 0)
		return r;
	uuid = vm_str(out, "uuid");
	if (!a->update && state_net_get(a->st, "rvm", uuid, &old, NULL) == 0)
		return err_set(a->e, EEXIST, "remote VM %s exists already", uuid);
	if (old)
		json_object_set(a->ch.seen, uuid, old);
	r = state_vm_has(a->st, uuid, a->e);
	if (r)
		return r < 0 ? r : err_set(a->e, EEXIST, "%s is a VM of this host", uuid);
	if (has(a->ch.rvms, uuid))
		return err_set(a->e, EINVAL, "remote VM %s is there twice", uuid);
	if (!a->ch.rvms)
		a->ch.rvms = json_array();
	return json_array_append(a->ch.rvms, out);
}

static int each(struct add *a, const json_t *list, const char *what, int (*one)(struct add *, const json_t *))
{
	const json_t *o;
	size_t i;
	int r = !list || json_is_array(list) ? 0 : err_set(a->e, EINVAL, "%s: an array", what);

	json_array_foreach(list, i, o)
	{
		r = one(a, o);
		if (r < 0)
			return json_array_size(list) > 1 ? err_add(a->e, "%s.%zu", what, i) : r;
	}
	return r;
}

/* {"rules": […], "remoteVMs": […]}, one of either, or an array of one kind. */
static int payload(struct add *a, const json_t *p)
{
	const char *key;
	json_t *v;
	int r;

	if (json_is_array(p))
		return each(a, p, a->rvms ? "remoteVMs" : "rules", a->rvms ? one_rvm : one_rule);
	if (a->rvms && !json_object_get(p, "remoteVMs"))
		return one_rvm(a, p);
	if (a->uuid || (!json_object_get(p, "rules") && !json_object_get(p, "remoteVMs")))
		return one_rule(a, p);
	json_object_foreach((json_t *)p, key, v)
		if ((strcmp(key, "rules") || a->rvms) && strcmp(key, "remoteVMs"))
			return err_set(a->e, EINVAL, "unknown property \"%.64s\": rules and remoteVMs stand alone", key);
	r = each(a, json_object_get(p, "rules"), "rules", one_rule);
	return r < 0 ? r : each(a, json_object_get(p, "remoteVMs"), "remoteVMs", one_rvm);
}

static void none_yet(struct add *a)
{
	json_decref(a->ch.rules);
	json_decref(a->ch.rvms);
	json_decref(a->ch.seen);
	a->ch.rules = a->ch.rvms = NULL;
	a->ch.seen = json_object();
	*a->e = ERR_INIT;
}

static int with(struct add *a, int argc, char **argv)
{
	_json_ json_t *p = NULL;
	int r = arguments(a, argc, argv);

	if (r)
		return r;
	if (!a->said && vmadm_payload(a->file, &p, a->e) < 0)
		return cmd_fail(a->c, a->e);
	r = fwadm_open(a->c, STATE_WRITE, &a->st);
	if (r)
		return r;
	do {
		none_yet(a);
		r = payload(a, p ?: a->words);
		if (r == 0 && !a->ch.rules && !a->ch.rvms)
			r = err_set(a->e, EINVAL, "there is nothing to %s", a->update ? "update" : "add");
		r = r < 0 ? cmd_fail(a->c, a->e) : fwadm_apply(a->c, a->st, &a->ch, &a->how);
	} while (r == FWADM_AGAIN);
	return r;
}

static int start(struct ctx *c, int argc, char **argv, bool update, bool rvms, const char *audit)
{
	struct err e = ERR_INIT;
	struct add a = {.c = c, .update = update, .rvms = rvms, .how = {.what = update ? "Updated" : "Added", .audit = audit}, .words = json_object(), .e = &e};
	int r;

	a.ch.expect = update ? FW_PRESENT : FW_ABSENT;
	r = with(&a, argc, argv);

	json_decref(a.words);
	json_decref(a.ch.rules);
	json_decref(a.ch.rvms);
	json_decref(a.ch.seen);
	state_close(&a.st);
	return r;
}

static int run_add(struct ctx *c, int argc, char **argv)
{
	return start(c, argc, argv, false, false, "fwadm add");
}
CMD(fwadm_add, "fwadm", "add", "[-f <file>] | [-e] [--log] [-g | -O <owner>] [-d <description>] <rule> [--dry-run] [-j]",
    "add a rule, or rules and remote VMs from JSON", CMD_NONE, run_add);

static int run_update(struct ctx *c, int argc, char **argv)
{
	return start(c, argc, argv, true, false, "fwadm update");
}
CMD(fwadm_update, "fwadm", "update", "[-f <file>] | <rule uuid> [-f <file>] | <rule uuid> [-e] [--log | --no-log] [-g | -O <owner>] [-d <description>] [<rule>] [--dry-run] [-j]",
    "change a rule, or rules and remote VMs from JSON", CMD_NONE, run_update);

static int run_add_rvm(struct ctx *c, int argc, char **argv)
{
	return start(c, argc, argv, false, true, "fwadm add-rvm");
}
CMD(fwadm_add_rvm, "fwadm", "add-rvm", "[-f <file>] [--dry-run] [-j]", "add a remote VM from JSON", CMD_NONE, run_add_rvm);
