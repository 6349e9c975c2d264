/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zonecfg -z ZONE info|export: a VM's record the way illumos shows a zone's configuration. Read-only: vmadm update
 * changes a VM. The record becomes a list of resources first ([type, [name, value]…]), which both verbs print.
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
#include "state/state.h"

static const char *const types[] = {"fs", "net", "device", "dataset", "capped-cpu", "capped-memory", "attr", "rctl"};

/* ---- the record as resources ---- */

static void prop(json_t *res, const char *name, const char *value)
{
	if (value)
		json_array_append_new(res, json_pack("[s, s]", name, value));
}

static json_t *resource(json_t *list, const char *type)
{
	json_t *r = json_pack("[s]", type);

	json_array_append_new(list, r);
	return r;
}

/* "a,b,c" of a list (or of a string as it is), NULL if there is none. */
static char *comma(const json_t *rec, const char *key)
{
	const json_t *v = json_object_get(rec, key), *x;
	_buf_ struct buf b = BUF_INIT;
	size_t i;

	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	json_array_foreach(v, i, x)
	{
		if (json_is_string(x))
			buf_printf(&b, "%s%s", b.len ? "," : "", json_string_value(x));
	}
	return b.len ? buf_take(&b) : NULL;
}

static void top(json_t *list, const json_t *rec)
{
	static const struct {
		const char *name, *key;
	} limits[] = {{"max-lwps", "max_lwps"},	      {"max-shm-memory", "max_shm_memory"}, {"max-shm-ids", "max_shm_ids"},
		      {"max-msg-ids", "max_msg_ids"}, {"max-sem-ids", "max_sem_ids"},	     {"cpu-shares", "cpu_shares"}};
	_free_ char *priv = comma(rec, "limit_priv"), *fs = comma(rec, "fs_allowed");
	json_t *r = resource(list, "");

	prop(r, "zonename", vm_str(rec, "zonename"));
	prop(r, "zonepath", vm_str(rec, "zonepath"));
	prop(r, "brand", vm_str(rec, "brand"));
	prop(r, "autoboot", vm_bool(rec, "autoboot", false) ? "true" : "false");
	prop(r, "bootargs", "");
	prop(r, "pool", "");
	prop(r, "limitpriv", priv ?: "default");
	prop(r, "scheduling-class", "");
	prop(r, "ip-type", "exclusive");
	prop(r, "hostid", "");
	prop(r, "fs-allowed", fs ?: "");
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		_free_ char *name = xprintf("[%s]", limits[i].name), *v = NULL;
		int64_t n = vm_int(rec, limits[i].key, -1);

		if (n >= 0)
			v = xprintf("%lld%s", (long long)n, str_ends(limits[i].name, "memory") ? "M" : "");
		prop(r, name, v);
	}
}

static void filesystems(json_t *list, const json_t *rec)
{
	const json_t *fs;
	size_t i;

	json_array_foreach(json_object_get(rec, "filesystems"), i, fs)
	{
		_free_ char *opt = comma(fs, "options"), *words = opt ? xprintf("[%s]", opt) : NULL;
		json_t *r = resource(list, "fs");

		prop(r, "dir", vm_str(fs, "target"));
		prop(r, "special", vm_str(fs, "source") ?: vm_str(fs, "type"));
		prop(r, "raw", vm_str(fs, "raw"));
		prop(r, "type", vm_str(fs, "type"));
		prop(r, "options", words ?: "[]");
	}
}

static void nics(json_t *list, const json_t *rec)
{
	const json_t *n;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, n)
	{
		_free_ char *vlan = xprintf("%lld", (long long)vm_int(n, "vlan_id", 0)), *ips = comma(n, "ips");
		json_t *r = resource(list, "net");

		prop(r, "allowed-address", ips ?: vm_str(n, "ip"));
		prop(r, "defrouter", vm_str(n, "gateway"));
		prop(r, "global-nic", vm_str(n, "nic_tag"));
		prop(r, "mac-addr", vm_str(n, "mac"));
		prop(r, "physical", vm_str(n, "interface"));
		prop(r, "vlan-id", vlan);
	}
}

static void devices(json_t *list, const json_t *rec)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(rec, "devices"), i, d)
	{
		const char *mode = vm_str(d, "mode");
		_free_ char *p = mode ? xprintf("(name=mode,value=\"%s\")", mode) : NULL;
		json_t *r = resource(list, "device");

		prop(r, "match", vm_str(d, "match"));
		prop(r, "property", p);
	}
	json_array_foreach(json_object_get(rec, "datasets"), i, d)
	{
		if (json_is_string(d))
			prop(resource(list, "dataset"), "name", json_string_value(d));
	}
}

static void caps(json_t *list, const json_t *rec)
{
	static const struct {
		const char *name, *key;
	} mem[] = {{"physical", "max_physical_memory"}, {"[swap]", "max_swap"}, {"[locked]", "max_locked_memory"}};
	int64_t cap = vm_int(rec, "cpu_cap", 0), n;
	json_t *r;

	if (cap > 0) {
		_free_ char *v = xprintf("%lld.%02lld", (long long)cap / 100, (long long)cap % 100);

		prop(resource(list, "capped-cpu"), "[ncpus]", v);
	}
	if (vm_int(rec, "max_physical_memory", 0) <= 0)
		return;
	r = resource(list, "capped-memory");
	for (size_t i = 0; i < ARRAY_LEN(mem); i++) {
		n = vm_int(rec, mem[i].key, 0);
		if (n > 0) {
			_free_ char *v = xprintf("%lldM", (long long)n);

			prop(r, mem[i].name, v);
		}
	}
}

/* A plain value of the record as text; NULL for objects, lists and what is not there. */
static char *scalar(const json_t *v)
{
	if (json_is_string(v))
		return xstrdup(json_string_value(v));
	if (json_is_integer(v))
		return xprintf("%lld", (long long)json_integer_value(v));
	if (json_is_boolean(v))
		return xstrdup(json_is_true(v) ? "true" : "false");
	return NULL;
}

static void attrs(json_t *list, const json_t *rec)
{
	static const char *const keys[] = {
		"alias",      "billing_id", "create_timestamp", "dns_domain", "do_not_inventory", "docker",
		"hostname",   "image_uuid", "init_name",	"owner_uuid", "quota",		  "ram",
		"resolvers",  "tmpfs",	    "vcpus",		"v",	      "indestructible_zoneroot", "restart_init"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const json_t *v = json_object_get(rec, keys[i]);
		_free_ char *value = json_is_array(v) ? comma(rec, keys[i]) : scalar(v);
		char name[32];
		json_t *r;

		if (!value)
			continue;
		snprintf(name, sizeof name, "%s",
			 !strcmp(keys[i], "v")            ? "vm-version"
			 : !strcmp(keys[i], "image_uuid") ? "dataset-uuid"
							  : keys[i]);
		for (char *p = name; *p; p++)
			if (*p == '_')
				*p = '-';
		r = resource(list, "attr");
		prop(r, "name", name);
		prop(r, "type", json_is_boolean(v) ? "boolean" : "string");
		prop(r, "value", value);
	}
}

static void rctls(json_t *list, const json_t *rec)
{
	static const struct {
		const char *name, *key;
		int64_t unit;
		const char *action;
	} rc[] = {{"cpu-cap", "cpu_cap", 1, "deny"},
		  {"cpu-shares", "cpu_shares", 1, "none"},
		  {"max-lwps", "max_lwps", 1, "deny"},
		  {"max-physical-memory", "max_physical_memory", 1 << 20, "deny"},
		  {"max-swap", "max_swap", 1 << 20, "deny"},
		  {"max-locked-memory", "max_locked_memory", 1 << 20, "deny"},
		  {"max-shm-memory", "max_shm_memory", 1 << 20, "deny"},
		  {"max-shm-ids", "max_shm_ids", 1, "deny"},
		  {"max-msg-ids", "max_msg_ids", 1, "deny"},
		  {"max-sem-ids", "max_sem_ids", 1, "deny"},
		  {"zfs-io-priority", "zfs_io_priority", 1, "none"}};

	for (size_t i = 0; i < ARRAY_LEN(rc); i++) {
		int64_t n = vm_int(rec, rc[i].key, -1);
		_free_ char *name = xprintf("zone.%s", rc[i].name), *v = NULL;
		json_t *r;

		if (n < 0 || (n == 0 && !strcmp(rc[i].action, "deny")))
			continue;
		v = xprintf("(priv=privileged,limit=%lld,action=%s)", (long long)(n * rc[i].unit), rc[i].action);
		r = resource(list, "rctl");
		prop(r, "name", name);
		prop(r, "value", v);
	}
}

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
	*list = json_array();
	top(*list, rec);
	filesystems(*list, rec);
	nics(*list, rec);
	devices(*list, rec);
	caps(*list, rec);
	attrs(*list, rec);
	rctls(*list, rec);
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
