/* SPDX-License-Identifier: MPL-2.0 */
/* A VM's record as illumos resources. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/zonecfg_res.h"
#include "model/vm.h"

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

json_t *zonecfg_resources(const json_t *rec)
{
	json_t *list = json_array();

	top(list, rec);
	filesystems(list, rec);
	nics(list, rec);
	devices(list, rec);
	caps(list, rec);
	attrs(list, rec);
	rctls(list, rec);
	return list;
}
