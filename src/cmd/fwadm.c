/* SPDX-License-Identifier: MPL-2.0 */
/* fwadm: what its verbs share, list and get. */
#include "cmd/fwadm.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

static const char *const fields[] = {"uuid", "enabled", "log", "rule", "owner_uuid", "global", "description", "created_by", "version"};

int fwadm_open(struct ctx *c, enum state_mode how, struct state **st)
{
	struct err e = ERR_INIT;
	int r = state_open(c, how, st, &e);

	return r < 0 && (how != STATE_READ || r != -ENOENT) ? cmd_fail(c, &e) : 0;
}

int fwadm_get(struct state *st, const char *kind, const char *uuid, json_t **out, struct err *e)
{
	const char *what = strcmp(kind, "rvm") ? "rule" : "remote VM";
	struct err miss = ERR_INIT;
	int r = st ? state_net_get(st, kind, uuid, out, &miss) : -ENOENT;

	if (r == -ENOENT)
		return err_set(e, ENOENT, "%s %.64s does not exist", what, uuid);
	if (r < 0)
		*e = miss;
	return r;
}

static int take_one(const char *name, const json_t *value, void *arg)
{
	return json_array_append(arg, (json_t *)value);
}

int fwadm_all(struct state *st, const char *kind, json_t **out, struct err *e)
{
	_json_ json_t *list = json_array();
	int r = st ? state_net_each(st, kind, take_one, list, e) : 0;

	if (r == 0)
		*out = take(list);
	return r;
}

void fwadm_json(const json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
}

static bool field_ok(const char *f, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i]) == n && !strncmp(fields[i], f, n))
			return true;
	return false;
}

int fwadm_show_options(int argc, char **argv, struct fwadm_show *s)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {"parseable", no_argument, NULL, 'p'},
					      {"delim", required_argument, NULL, 'd'}, {"fields", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	int o;

	*s = (struct fwadm_show){.delim = ':'};
	while ((o = getopt_long(argc, argv, "jpd:o:", longs, NULL)) >= 0) {
		if (o == 'j')
			s->json = true;
		else if (o == 'p')
			s->parse = true;
		else if (o == 'd' && strlen(optarg) == 1)
			s->delim = *optarg;
		else if (o == 'o')
			s->fields = optarg;
		else
			return cmd_usage("fwadm", argv[0], o == 'd' ? "-d takes one character" : NULL);
	}
	for (const char *f = s->fields; f; f = *f ? f + 1 : NULL) {
		size_t n = strcspn(f, ",");

		if (!field_ok(f, n))
			return cmd_usage("fwadm", argv[0], "no field \"%.*s\": uuid enabled log rule owner_uuid global description created_by version", (int)(n > 40 ? 40 : n), f);
		f += n;
		if (!*f)
			break;
	}
	return s->json && s->parse ? cmd_usage("fwadm", argv[0], "either -j or -p") : 0;
}

static const char *text_of(const json_t *rule, const char *field)
{
	const json_t *v = json_object_get(rule, field);

	if (json_is_boolean(v) || !strcmp(field, "enabled") || !strcmp(field, "log") || !strcmp(field, "global"))
		return json_is_true(v) ? "true" : "false";
	return json_string_value(v);
}

static int width(const char *field, size_t n)
{
	return !strncmp(field, "uuid", n) || !strncmp(field, "owner_uuid", n) ? 36 : !strncmp(field, "enabled", n) ? 7 : !strncmp(field, "version", n) ? 20 : 12;
}

/* As imgadm does it: the delimiter and the backslash have a backslash in front. */
static void escaped(struct buf *b, const char *s, char delim)
{
	for (; *s; s++) {
		if (*s == delim || *s == '\\')
			buf_puts(b, "\\");
		buf_add(b, s, 1);
	}
}

/* rule NULL: the heading. */
static void line(const struct fwadm_show *s, const json_t *rule)
{
	_buf_ struct buf b = BUF_INIT;
	const char *f = s->fields ?: "uuid,enabled,rule";

	for (bool first = true;; first = false) {
		size_t n = strcspn(f, ",");
		char name[32];

		snprintf(name, sizeof name, "%.*s", (int)n, f);
		for (char *c = name; !rule && *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
		if (!first)
			buf_add(&b, s->parse ? &s->delim : " ", 1);
		if (s->parse)
			escaped(&b, text_of(rule, name) ?: "", s->delim);
		else
			buf_printf(&b, "%-*s", f[n] ? width(f, n) : 0, rule ? text_of(rule, name) ?: "-" : name);
		if (!f[n])
			break;
		f += n + 1;
	}
	puts(buf_str(&b));
}

static json_t *picked(const struct fwadm_show *s, const json_t *rule)
{
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		for (const char *f = s->fields; f; f = strchr(f, ',') ? strchr(f, ',') + 1 : NULL)
			if (strcspn(f, ",") == strlen(fields[i]) && str_starts(f, fields[i]))
				json_object_set(o, fields[i], json_object_get(rule, fields[i]));
	return o;
}

void fwadm_show(const struct fwadm_show *s, const json_t *rules)
{
	const json_t *rule;
	size_t i;

	if (s->json) {
		_json_ json_t *out = json_array();

		json_array_foreach(rules, i, rule)
			json_array_append_new(out, s->fields ? picked(s, rule) : json_incref((json_t *)rule));
		fwadm_json(out);
		return;
	}
	if (!s->parse)
		line(s, NULL);
	json_array_foreach(rules, i, rule)
		line(s, rule);
}

static int run_list(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *rules = NULL;
	struct fwadm_show s;
	struct err e = ERR_INIT;
	int r = fwadm_show_options(argc, argv, &s);

	if (r)
		return r;
	if (optind != argc)
		return cmd_usage("fwadm", argv[0], "list takes no operands");
	r = fwadm_open(c, STATE_READ, &st);
	if (r)
		return r;
	if (fwadm_all(st, "rule", &rules, &e) < 0)
		return cmd_fail(c, &e);
	fwadm_show(&s, rules);
	return 0;
}
CMD(fwadm_list, "fwadm", "list", "[-j] [-p [-d <delimiter>]] [-o <field>,…]", "list the rules", CMD_NONE, run_list);

static int get_one(struct ctx *c, int argc, char **argv, const char *kind)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *o = NULL;
	struct err e = ERR_INIT;
	int opt, r;

	while ((opt = getopt(argc, argv, "j")) >= 0) /* it is JSON anyway */
		if (opt != 'j')
			return cmd_usage("fwadm", argv[0], NULL);
	if (argc - optind != 1)
		return cmd_usage("fwadm", argv[0], NULL);
	r = fwadm_open(c, STATE_READ, &st);
	if (r)
		return r;
	if (fwadm_get(st, kind, argv[optind], &o, &e) < 0)
		return cmd_fail(c, &e);
	fwadm_json(o);
	return 0;
}

static int run_get(struct ctx *c, int argc, char **argv)
{
	return get_one(c, argc, argv, "rule");
}
CMD(fwadm_get, "fwadm", "get", "<rule uuid>", "print a rule as JSON", CMD_NONE, run_get);

static int run_get_rvm(struct ctx *c, int argc, char **argv)
{
	return get_one(c, argc, argv, "rvm");
}
CMD(fwadm_get_rvm, "fwadm", "get-rvm", "<remote VM uuid>", "print a remote VM as JSON", CMD_NONE, run_get_rvm);

static int run_rvms(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *rvms = NULL;
	struct err e = ERR_INIT;
	int opt, r;

	while ((opt = getopt(argc, argv, "j")) >= 0)
		if (opt != 'j')
			return cmd_usage("fwadm", "rvms", NULL);
	if (optind != argc)
		return cmd_usage("fwadm", "rvms", NULL);
	r = fwadm_open(c, STATE_READ, &st);
	if (r)
		return r;
	if (fwadm_all(st, "rvm", &rvms, &e) < 0)
		return cmd_fail(c, &e);
	fwadm_json(rvms);
	return 0;
}
CMD(fwadm_rvms, "fwadm", "rvms", "[-j]", "print the remote VMs as JSON", CMD_NONE, run_rvms);
CMD_ALIAS(fwadm_list_rvms, "fwadm", "list-rvms", "rvms", run_rvms);

/* ---- changes ---- */

static void audit_rules(const struct ctx *c, const json_t *list, const struct fwadm_do *how, int r)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		_free_ char *text = json_is_object(o) ? json_dumps(o, JSON_COMPACT) : NULL;

		cmd_audit(c, how->audit, vm_str(o, "uuid") ?: json_string_value(o), NULL, text, r);
	}
}

static void tell(const struct fw_change *ch, const struct fwadm_do *how, const json_t *vms)
{
	const struct fwadm_show plain = {.delim = ':'};
	const json_t *o;
	size_t i;

	if (json_array_size(ch->rules)) {
		printf("%s rules:\n", how->what);
		fwadm_show(&plain, ch->rules);
	}
	json_array_foreach(ch->gone_rules, i, o)
		cmd_say("%s rule %s", how->what, json_string_value(o));
	json_array_foreach(ch->rvms, i, o)
		printf("%s%s", i ? "" : how->what, i ? "" : " remote VMs:\n"), printf("%s\n", vm_str(o, "uuid"));
	json_array_foreach(ch->gone_rvms, i, o)
		cmd_say("%s remote VM %s", how->what, json_string_value(o));
	if (json_array_size(vms))
		printf("VMs updated:\n");
	json_array_foreach(vms, i, o)
		printf("%s\n", json_string_value(o));
}

static void tell_json(const struct fw_change *ch, const json_t *vms)
{
	_json_ json_t *o = json_object();

	if (ch->rules)
		json_object_set(o, "rules", ch->rules);
	if (ch->gone_rules)
		json_object_set(o, "rules", ch->gone_rules);
	if (ch->rvms)
		json_object_set(o, "remoteVMs", ch->rvms);
	if (ch->gone_rvms)
		json_object_set(o, "remoteVMs", ch->gone_rvms);
	json_object_set(o, "vms", (json_t *)vms);
	fwadm_json(o);
}

int fwadm_apply(struct ctx *c, struct state *st, const struct fw_change *ch, const struct fwadm_do *how)
{
	_json_ json_t *vms = NULL;
	struct err e = ERR_INIT;
	int r = fw_change_vms(st, ch, &vms, &e);

	if (r == 0 && !how->dry) {
		r = fw_change_apply(c, st, ch, &e);
		if (r == -ESTALE)
			return FWADM_AGAIN;
		audit_rules(c, ch->rules, how, r);
		audit_rules(c, ch->gone_rules, how, r);
		audit_rules(c, ch->rvms, how, r);
		audit_rules(c, ch->gone_rvms, how, r);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	if (how->json)
		tell_json(ch, vms);
	else
		tell(ch, how, vms);
	return 0;
}
