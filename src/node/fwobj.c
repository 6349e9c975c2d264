/* SPDX-License-Identifier: MPL-2.0 */
/* Rules and remote VMs as JSON: checked, completed, and as the compiler wants them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/addr.h"
#include "node/fw.h"

#define TEXT_MAX 1024

static int boolean(const json_t *o, const char *key, bool otherwise, bool *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);

	if (!v || json_is_null(v)) {
		*out = otherwise;
	} else if (json_is_true(v) || (json_is_integer(v) && json_integer_value(v) == 1) || str_eq(s, "true") || str_eq(s, "1")) {
		*out = true;
	} else if (json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) || str_eq(s, "false") || str_eq(s, "0")) {
		*out = false;
	} else {
		return err_set(e, EINVAL, "%s: true or false", key);
	}
	return 0;
}

/* "" and null are none. */
static int text(const json_t *o, const char *key, const char **out, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);

	if (v && !json_is_null(v) && !s)
		return err_set(e, EINVAL, "%s: a string", key);
	if (s && (strlen(s) > TEXT_MAX || strlen(s) != json_string_length(v)))
		return err_set(e, EINVAL, "%s: at most %d bytes", key, TEXT_MAX);
	for (const char *p = s; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(e, EINVAL, "%s: no control characters", key);
	*out = s && *s ? s : NULL;
	return 0;
}

static int uuid_of(const json_t *o, const char *key, const char **out, struct err *e)
{
	int r = text(o, key, out, e);

	return r == 0 && *out && !uuid_valid(*out) ? err_set(e, EINVAL, "%s: \"%.64s\" is not a uuid", key, *out) : r;
}

static int known(const json_t *o, const char *const *names, size_t n, struct err *e)
{
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return err_set(e, EINVAL, "it is not a JSON object");
	json_object_foreach((json_t *)o, key, v)
	{
		bool found = false;

		for (size_t i = 0; i < n; i++)
			found = found || !strcmp(key, names[i]);
		if (!found)
			return err_set(e, EINVAL, "unknown property \"%.64s\"", key);
	}
	return 0;
}

/* A rule is somebody's, or global: what is said replaces what was. */
static int owner(const json_t *o, const json_t *old, json_t *out, struct err *e)
{
	const char *who = NULL;
	bool global = false;
	int r = boolean(o, "global", false, &global, e);

	if (r == 0)
		r = uuid_of(o, "owner_uuid", &who, e);
	if (r < 0)
		return r;
	if (global && who)
		return err_set(e, EINVAL, "a rule is global or has an owner_uuid, not both");
	if (!global && !who && old) {
		global = vm_bool(old, "global", false) && !json_object_get(o, "global");
		who = global ? NULL : vm_str(old, "owner_uuid");
	}
	if (!global && !who) {
		err_set(e, EINVAL, "a rule is global or has an owner_uuid: one of them is missing");
		return err_hint(e, "-g makes it concern the VMs of each owner, -O UUID those of one.");
	}
	if (global)
		json_object_set_new(out, "global", json_true());
	else
		json_object_set_new(out, "owner_uuid", json_string(who));
	return 0;
}

static int rule_text(const json_t *o, const json_t *old, json_t *out, struct err *e)
{
	const json_t *given = json_object_get(o, "rule");
	const char *s = given ? json_string_value(given) : vm_str(old, "rule");
	_fw_rule_ struct fw_rule r = {0};
	_buf_ struct buf b = BUF_INIT;
	int n;

	if (!s || (given && strlen(s) != json_string_length(given)))
		return err_set(e, EINVAL, "rule: %s", given ? "a string" : "it is missing");
	n = fw_parse(s, &r, e);
	if (n < 0)
		return n;
	fw_print(&r, &b);
	json_object_set_new(out, "rule", json_string(buf_str(&b)));
	return 0;
}

/* What may be said, is kept from before, or has a default. */
static int optional(const json_t *o, const json_t *old, const char *key, const char *otherwise, json_t *out, struct err *e)
{
	const char *s = NULL;
	int r = text(o, key, &s, e);

	if (r < 0)
		return r;
	if (!json_object_get(o, key))
		s = old ? vm_str(old, key) : otherwise;
	if (s)
		json_object_set_new(out, key, json_string(s));
	return 0;
}

static void version(json_t *out)
{
	_free_ char *v = xprintf("%llu.%06d", (unsigned long long)(clock_wall_ns() / 1000000), (int)getpid() % 1000000);

	json_object_set_new(out, "version", json_string(v));
}

static int name(const json_t *o, const json_t *old, json_t *out, struct err *e)
{
	const char *id = NULL;
	char made[UUID_LEN + 1];
	int r = uuid_of(o, "uuid", &id, e);

	if (r < 0)
		return r;
	if (old && id && !str_eq(id, vm_str(old, "uuid")))
		return err_set(e, EINVAL, "a uuid does not change");
	id = old ? vm_str(old, "uuid") : id;
	if (!id) {
		uuid_make(made);
		id = made;
	}
	json_object_set_new(out, "uuid", json_string(id));
	return 0;
}

int fwobj_rule(const json_t *payload, const json_t *old, json_t **out, struct err *e)
{
	static const char *const names[] = {"uuid", "rule", "enabled", "log", "global", "owner_uuid", "description", "created_by", "version"};
	_json_ json_t *o = json_object();
	bool on = false, log = false;
	int r = known(payload, names, ARRAY_LEN(names), e);

	if (r == 0)
		r = name(payload, old, o, e);
	if (r == 0)
		r = rule_text(payload, old, o, e);
	if (r == 0)
		r = boolean(payload, "enabled", old && vm_bool(old, "enabled", false), &on, e);
	if (r == 0)
		r = boolean(payload, "log", old && vm_bool(old, "log", false), &log, e);
	if (r == 0)
		r = owner(payload, old, o, e);
	if (r == 0)
		r = optional(payload, old, "description", NULL, o, e);
	if (r == 0)
		r = optional(payload, old, "created_by", "fwadm", o, e);
	if (r < 0)
		return r;
	json_object_set_new(o, "enabled", json_boolean(on));
	if (log)
		json_object_set_new(o, "log", json_true());
	version(o);
	*out = take(o);
	return 0;
}

const char *fwobj_scope(const json_t *rule)
{
	return vm_str(rule, "owner_uuid") ?: FW_GLOBAL;
}

/* ---- remote VMs ---- */

/* "10.0.0.1/24" is its address; "dhcp" is none. */
static bool add_ip(const char *s, json_t *ips)
{
	char one[64];
	struct fw_addr a;
	_buf_ struct buf b = BUF_INIT;
	json_t *have;
	size_t i;

	snprintf(one, sizeof one, "%.*s", (int)strcspn(s, "/"), s);
	if (fw_addr_parse(one, &a) < 0)
		return false;
	fw_addr_print(&a, &b);
	json_array_foreach(ips, i, have)
		if (str_eq(json_string_value(have), buf_str(&b)))
			return true;
	json_array_append_new(ips, json_string(buf_str(&b)));
	return true;
}

static int add_ips(const json_t *list, json_t *ips, bool strict, struct err *e)
{
	const json_t *v;
	size_t i;

	if (list && !json_is_null(list) && !json_is_array(list))
		return err_set(e, EINVAL, "ips: an array of addresses");
	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		if ((!s || !add_ip(s, ips)) && (strict || !s || (strcmp(s, "dhcp") && strcmp(s, "addrconf"))))
			return err_set(e, EINVAL, "ips: \"%.64s\" is not an IP address", s ?: "?");
	}
	return 0;
}

static int rvm_ips(const json_t *o, const json_t *old, json_t *out, struct err *e)
{
	const json_t *nics = json_object_get(o, "nics"), *nic;
	_json_ json_t *ips = json_array();
	size_t i;
	int r = add_ips(json_object_get(o, "ips"), ips, true, e);

	json_array_foreach(nics, i, nic)
	{
		const char *ip = vm_str(nic, "ip");

		if (r == 0)
			r = add_ips(json_object_get(nic, "ips"), ips, false, e);
		if (r == 0 && ip && strcmp(ip, "dhcp") && !add_ip(ip, ips))
			r = err_set(e, EINVAL, "nics: \"%.64s\" is not an IP address", ip);
	}
	if (r < 0)
		return r;
	if (old && !json_object_get(o, "ips") && !nics)
		json_array_extend(ips, json_object_get(old, "ips"));
	if (json_array_size(ips) == 0)
		return err_set(e, EINVAL, "a remote VM has at least one address, in ips or nics");
	json_object_set(out, "ips", ips);
	return 0;
}

static int rvm_tags(const json_t *o, const json_t *old, json_t *out, struct err *e)
{
	json_t *tags = json_object_get(o, "tags") ?: json_object_get(old, "tags"), *v;
	const char *key;

	if (tags && !json_is_null(tags) && !json_is_object(tags))
		return err_set(e, EINVAL, "tags: an object of names and values");
	json_object_foreach(tags, key, v)
		if (!*key || strlen(key) > FW_WORD_MAX || !(json_is_string(v) || json_is_number(v) || json_is_boolean(v)))
			return err_set(e, EINVAL, "tags.%.64s: a string, a number or a boolean", key);
	if (json_is_object(tags))
		json_object_set(out, "tags", tags);
	return 0;
}

int fwobj_rvm(const json_t *payload, const json_t *old, json_t **out, struct err *e)
{
	_json_ json_t *o = json_object();
	const char *who = NULL;
	int r = json_is_object(payload) ? 0 : err_set(e, EINVAL, "it is not a JSON object");

	if (r == 0 && !old && !vm_str(payload, "uuid"))
		r = err_set(e, EINVAL, "uuid: it is missing");
	if (r == 0)
		r = name(payload, old, o, e);
	if (r == 0)
		r = uuid_of(payload, "owner_uuid", &who, e);
	if (r == 0)
		r = rvm_ips(payload, old, o, e);
	if (r == 0)
		r = rvm_tags(payload, old, o, e);
	if (r < 0)
		return r;
	if (!json_object_get(payload, "owner_uuid"))
		who = vm_str(old, "owner_uuid");
	if (who)
		json_object_set_new(o, "owner_uuid", json_string(who));
	*out = take(o);
	return 0;
}

/* ---- for the compiler ---- */

/* What stands behind a slash is its network's length, or how much of it the NIC may have: then all of these. */
static void vm_ip(const char *s, bool part, struct fw_vm *out)
{
	char one[64];
	struct fw_addr a;
	uint64_t n, whole;

	snprintf(one, sizeof one, "%.*s", (int)strcspn(s ?: "", "/"), s ?: "");
	if (fw_addr_parse(one, &a) < 0)
		return;
	whole = a.family == 6 ? 128 : 32;
	if (part && strchr(s, '/') && str_to_u64(strchr(s, '/') + 1, &n) == 0 && n < whole) {
		a.part = (uint8_t)(n + 1);
		for (uint64_t i = n; i < whole; i++)
			a.ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	}
	fw_vm_addr(out, &a);
}

static void vm_ips(const json_t *list, bool part, struct fw_vm *out)
{
	const json_t *ip;
	size_t i;

	json_array_foreach(list, i, ip)
		vm_ip(json_string_value(ip), part, out);
}

/* All that link protection lets it send from (bpf/protect.h). */
static void vm_nic(const json_t *nic, struct fw_vm *out)
{
	static const uint8_t local[8] = {0xfe, 0x80};
	char text[INET6_ADDRSTRLEN];

	vm_ips(json_object_get(nic, "ips"), false, out);
	vm_ips(json_object_get(nic, "known"), false, out);
	vm_ips(json_object_get(nic, "allowed_ips"), true, out);
	vm_ip(vm_str(nic, "vrrp_primary_ip"), false, out);
	if (addr_formed(nic, local, text) == 0)
		vm_ip(text, false, out);
}

void fwobj_vm(const json_t *rec, struct fw_vm *out)
{
	const json_t *nic;
	json_t *v;
	const char *key;
	size_t i;

	*out = (struct fw_vm){.uuid = ""};
	snprintf(out->uuid, sizeof out->uuid, "%s", vm_str(rec, "uuid") ?: "");
	snprintf(out->owner, sizeof out->owner, "%s", vm_str(rec, "owner_uuid") ?: "");
	json_object_foreach(json_object_get(rec, "tags"), key, v)
	{
		_free_ char *value = json_is_string(v) ? xstrdup(json_string_value(v)) : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

		fw_vm_tag(out, key, value ?: "");
	}
	vm_ips(json_object_get(rec, "ips"), false, out);
	json_array_foreach(json_object_get(rec, "nics"), i, nic)
		vm_nic(nic, out);
}
