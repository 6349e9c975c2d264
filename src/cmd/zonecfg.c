/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zonecfg -z ZONE info|export: a VM's record the way illumos shows a zone's configuration. Read-only: vmadm update
 * changes a VM. The record becomes a list of resources first (zonecfg_res.h), which both verbs print.
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
#include "cmd/zonecfg_res.h"
#include "model/vm.h"
#include "state/state.h"

static const char *const types[] = {"fs", "net", "device", "dataset", "capped-cpu", "capped-memory", "attr", "rctl"};

/* ---- printing ---- */

static void print_info(const json_t *list, const char *only)
{
	const json_t *r, *p;
	size_t i, k;

	json_array_foreach(list, i, r)
	{
		const char *type = json_string_value(json_array_get(r, 0));

		if (only && strcmp(only, type) != 0) {
			/* a property of the zone itself: info brand */
			for (k = 1; !*type && k < json_array_size(r); k++) {
				const char *name = json_string_value(json_array_get(json_array_get(r, k), 0));
				size_t n = strlen(only);

				if (!strcmp(name, only) || (*name == '[' && !strncmp(name + 1, only, n) && name[n + 1] == ']')) {
					const char *v = json_string_value(json_array_get(json_array_get(r, k), 1));

					printf(*name == '[' ? "[%.*s: %s]\n" : "%.*s: %s\n", (int)n, only, v);
				}
			}
			continue;
		}
		if (*type)
			printf("%s:\n", type);
		json_array_foreach(r, k, p)
		{
			const char *name = json_string_value(json_array_get(p, 0)), *v = json_string_value(json_array_get(p, 1));

			if (k == 0)
				continue;
			/* a name in brackets: a property that is stored as an rctl, shown [name: value] */
			if (*name == '[')
				printf("%s%.*s: %s]\n", *type ? "\t" : "", (int)strlen(name) - 1, name, v);
			else
				printf("%s%s: %s\n", *type ? "\t" : "", name, v);
		}
	}
}

/* Lists and rctl values stand as they are; quotes around all else that zonecfg's own reader would split. */
static void print_value(FILE *f, const char *name, const char *v)
{
	bool plain = *v == '[' || *v == '(' || (*v && strcspn(v, " \t\";#=,()[]{}\\") == strlen(v));

	fprintf(f, "set %.*s=", (int)(*name == '[' ? strlen(name) - 2 : strlen(name)), *name == '[' ? name + 1 : name);
	if (plain) {
		fputs(v, f);
	} else {
		fputc('"', f);
		for (; *v; v++) {
			if (*v == '"' || *v == '\\')
				fputc('\\', f);
			fputc(*v, f);
		}
		fputc('"', f);
	}
	fputc('\n', f);
}

static void print_export(const json_t *list, FILE *f)
{
	const json_t *r, *p;
	size_t i, k;

	fputs("create -b\n", f);
	json_array_foreach(list, i, r)
	{
		const char *type = json_string_value(json_array_get(r, 0));

		if (*type)
			fprintf(f, "add %s\n", type);
		json_array_foreach(r, k, p)
		{
			const char *name = json_string_value(json_array_get(p, 0)), *v = json_string_value(json_array_get(p, 1));

			if (k == 0 || !strcmp(name, "zonename") || (!*v && !*type))
				continue;
			/* these two hold tuples, which are added, not set */
			if ((!strcmp(type, "rctl") && !strcmp(name, "value")) || !strcmp(name, "property"))
				fprintf(f, "add %s %s\n", name, v);
			else if (*type || *name != '[')
				print_value(f, name, v);
		}
		if (*type)
			fputs("end\n", f);
	}
}

/* ---- the command ---- */

static int load(const struct ctx *c, const char *word, json_t **list, struct err *e)
{
	_json_ json_t *rec = NULL;
	struct state *s = NULL;
	char uuid[UUID_LEN + 1];
	int r = zone_arg(c, word, uuid, e);

	if (r == 0)
		r = state_open(c, STATE_READ, &s, e);
	if (r == 0)
		r = state_vm_get(s, uuid, &rec, NULL, NULL, e);
	state_close(&s);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "%s: No such zone configured", word);
	if (r < 0)
		return r;
	if (!vm_str(rec, "zonepath")) {
		_free_ char *path = xprintf("%s/%s", c->node.pool, uuid);

		json_object_set_new(rec, "zonepath", json_string(path));
	}
	*list = zonecfg_resources(rec);
	return 0;
}

static bool known_type(const json_t *list, const char *t)
{
	const json_t *p;
	size_t k;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(types[i], t))
			return true;
	json_array_foreach(json_array_get(list, 0), k, p)
	{
		const char *name = json_string_value(json_array_get(p, 0));

		if (name && (!strcmp(name, t) || (*name == '[' && !strncmp(name + 1, t, strlen(t)) && name[strlen(t) + 1] == ']')))
			return true;
	}
	return false;
}

static int do_export(const struct ctx *c, const json_t *list, const char *file)
{
	struct err e = ERR_INIT;
	FILE *f = file ? fopen(file, "we") : stdout;
	int bad;

	if (!f) {
		err_sys(&e, errno, "%s", file);
		return cmd_fail(c, &e);
	}
	print_export(list, f);
	if (f == stdout)
		return 0;
	bad = ferror(f);
	if (fclose(f) != 0 || bad) {
		err_sys(&e, errno ?: EIO, "%s", file);
		return cmd_fail(c, &e);
	}
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	const char *zone = NULL, *verb, *what, *file = NULL;
	_json_ json_t *list = NULL;
	struct err e = ERR_INIT;
	int k;

	optind = 1;
	while ((k = getopt(argc, argv, "+:z:")) != -1) {
		if (k != 'z')
			return cmd_usage("zonecfg", "", k == ':' ? "-%c wants a value" : "unknown option -%c", optopt);
		zone = optarg;
	}
	if (!zone || optind >= argc)
		return cmd_usage("zonecfg", "", zone ? "info or export?" : "which zone?");
	verb = argv[optind];
	what = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (!strcmp(verb, "export") && what && !strcmp(what, "-f") && optind + 3 == argc)
		file = argv[optind + 2];
	else if (!strcmp(verb, "export") ? what != NULL : optind + 2 < argc)
		return cmd_usage("zonecfg", "", "too many words after \"%s\"", verb);
	if (strcmp(verb, "info") != 0 && strcmp(verb, "export") != 0)
		return cmd_usage("zonecfg", "", "\"%s\" is not available: only info and export; vmadm update changes a VM", verb);
	if (load(c, zone, &list, &e) < 0)
		return cmd_fail(c, &e);
	if (!strcmp(verb, "export"))
		return do_export(c, list, file);
	if (what && !known_type(list, what))
		return cmd_usage("zonecfg", "", "unknown resource type \"%s\"", what);
	print_info(list, what);
	return 0;
}

CMD(zonecfg, "zonecfg", "", "-z <uuid|alias> info [resource-type] | export [-f file]",
    "show a VM as a zone configuration; vmadm update changes it", CMD_VM, run);
