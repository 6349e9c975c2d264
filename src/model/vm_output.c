/* SPDX-License-Identifier: MPL-2.0 */
/* Records going out and coming back: what get prints, what is stored, what the log may see, single fields. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/caps.h"
#include "model/model.h"
#include "model/vm.h"

/* -------- accessors -------- */

const char *vm_str(const json_t *rec, const char *key)
{
	return json_string_value(json_object_get(rec, key));
}

int64_t vm_int(const json_t *rec, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(rec, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool vm_bool(const json_t *rec, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(rec, key);
	const char *s = json_string_value(v);

	if (json_is_true(v) || (json_is_integer(v) && json_integer_value(v) == 1) || str_eq(s, "true") || str_eq(s, "1"))
		return true;
	if (json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) || str_eq(s, "false") || str_eq(s, "0"))
		return false;
	return otherwise;
}

const char *vm_type(const json_t *rec)
{
	switch (prop_brand(vm_str(rec, "brand"))) {
	case B_LX:
		return "LX";
	case B_KVM:
		return "KVM";
	case B_BHYVE:
		return "BHYV";
	default:
		return "OS";
	}
}

bool vm_snapshot_name_ok(const char *name)
{
	size_t n = strlen(name);

	/* It becomes a file name too. */
	if (n < 1 || n > 64 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:%") == n;
}

void vm_field(const json_t *obj, const char *path, void (*each)(const json_t *v, void *arg), void *arg)
{
	const char *dot = strchr(path, '.');
	char head[128];
	uint64_t at;
	size_t i, n = dot ? (size_t)(dot - path) : strlen(path);
	json_t *v;

	/* A whole key first: tags.a.b is the tag "a.b" where there is one. */
	if (json_is_object(obj) && json_object_get(obj, path)) {
		each(json_object_get(obj, path), arg);
		return;
	}
	if (n >= sizeof head)
		return;
	memcpy(head, path, n);
	head[n] = 0;
	if (json_is_object(obj)) {
		v = json_object_get(obj, head);
		if (v && dot)
			vm_field(v, dot + 1, each, arg);
		return;
	}
	if (!json_is_array(obj))
		return;
	json_array_foreach((json_t *)obj, i, v)
	{
		if (strcmp(head, "*") != 0 && (str_to_u64(head, &at) < 0 || at != i))
			continue;
		if (dot)
			vm_field(v, dot + 1, each, arg);
		else
			each(v, arg);
	}
}

enum vm_live vm_live_of(const char *prop, const char *brand)
{
	const struct prop *p = prop_find(prop);

	/* A guest's memory is fixed when it boots; a zone's is a limit like any other. */
	if ((prop_brand(brand) & B_HVM) && strcmp(prop, "ram") == 0)
		return VM_LIVE_BOOT;
	if (!p)
		return VM_LIVE_STOPPED;
	return p->live == 'n' ? VM_LIVE_NOW : p->live == 'b' ? VM_LIVE_BOOT : VM_LIVE_STOPPED;
}

/* -------- what get prints -------- */

/* The members of each object in the table's order. */
static json_t *ordered(const json_t *a, const char *list)
{
	size_t n, i, len = strlen(list);
	const struct prop *p = prop_all(&n);
	json_t *out = json_array(), *o, *v;

	json_array_foreach((json_t *)a, i, o)
	{
		json_t *copy = json_object();

		for (size_t k = 0; k < n; k++) {
			if (strncmp(p[k].name, list, len) != 0 || strncmp(p[k].name + len, ".*.", 3) != 0)
				continue;
			v = json_object_get(o, p[k].name + len + 3);
			if (v)
				json_object_set_new(copy, p[k].name + len + 3, json_deep_copy(v));
		}
		json_array_append_new(out, copy);
	}
	return out;
}

json_t *vm_output(const json_t *rec, const json_t *live)
{
	size_t n;
	const struct prop *p = prop_all(&n);
	json_t *out = json_object(), *v;

	for (size_t i = 0; i < n; i++) {
		const char *name = p[i].name;

		if (strchr(name, '.') || (p[i].flags & (PF_VERB | PF_ONCE | PF_HIDDEN)))
			continue;
		v = json_object_get(live, name);
		if (!v)
			v = json_object_get(rec, name);
		if (v && p[i].type == PROP_OBJECTS)
			json_object_set_new(out, name, ordered(v, name));
		else if (v) /* copied: who edits what get shows must not edit the record */
			json_object_set_new(out, name, json_deep_copy(v));
		else if (strcmp(name, "hvm") == 0)
			json_object_set_new(out, name, json_boolean(prop_brand(vm_str(rec, "brand")) & B_HVM));
		else if (strcmp(name, "type") == 0)
			json_object_set_new(out, name, json_string(vm_type(rec)));
		else if (strcmp(name, "zonepath") == 0 && vm_str(rec, "uuid"))
			json_object_set_new(out, name, json_sprintf("/zones/%s", vm_str(rec, "uuid")));
		else if (strcmp(name, "snapshots") == 0)
			json_object_set_new(out, name, json_array());
	}
	return out;
}

/* -------- stored text -------- */

char *vm_record_text(const json_t *rec)
{
	return json_dumps(rec, JSON_COMPACT | JSON_SORT_KEYS);
}

int vm_record_load(const char *text, size_t n, json_t **rec, struct err *e)
{
	static const char *const musts[] = {"uuid", "zonename", "brand", "v", "create_timestamp", "max_physical_memory", "ram"};
	_check_ struct check ck = {0};
	_json_ json_t *j = NULL, *out = json_object();
	int r = vm_parse(text, n, &j, e);

	if (r < 0)
		return err_add(e, "VM record");
	if (!json_is_object(j))
		return err_set(e, EINVAL, "VM record: not an object");
	check_init(&ck, M_LOAD, NULL);
	validate(&ck, j, out);
	for (size_t i = 0; i < ARRAY_LEN(musts) && !ck.failed; i++) {
		if (!json_object_get(out, musts[i]))
			check_note(&ck, CHECK_MISSING, musts[i], "%s is missing", musts[i]);
	}
	r = check_end(&ck, NULL, e);
	if (r < 0)
		return err_add(e, "VM record");
	*rec = take(out);
	return 0;
}

/* -------- what needs a capability to come -------- */

/* Empty, false, or what it is by default anyway: nothing is asked for. */
static bool asks(const struct prop *p, const json_t *v)
{
	_json_ json_t *dflt = p->dflt ? json_loads(p->dflt, JSON_DECODE_ANY, NULL) : NULL;

	if (!v || json_is_false(v) || (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v)))
		return false;
	return !dflt || !json_equal(v, dflt);
}

/* What a zone is to do at its boot; a docker image's entrypoint is its init, and nobody else is started beside it. */
static int metadata_available(const json_t *rec, struct err *e)
{
	static const struct {
		const char *list, *key;
	} acts[] = {
		{"customer_metadata", "user-script"},
		{"customer_metadata", "root_authorized_keys"},
		{"internal_metadata", "operator-script"},
	};

	for (size_t i = 0; vm_bool(rec, "docker", false) && i < ARRAY_LEN(acts); i++)
		if (json_object_get(json_object_get(rec, acts[i].list), acts[i].key))
			return err_set(e, ENOTSUP, "%s.%s: a docker VM runs its entrypoint and nothing beside it", acts[i].list, acts[i].key);
	return 0;
}

static int refused(const struct prop *p, struct err *e)
{
	if (p->never)
		return err_set(e, ENOTSUP, "%s is not available: %s", p->name, p->never);
	return err_set(e, ENOTSUP, "%s is not available yet: it needs %s", p->name, p->needs);
}

int vm_available(const json_t *rec, struct err *e)
{
	const char *brand = vm_str(rec, "brand"), *words = vm_str(rec, "limit_priv");
	uint64_t caps, seccomp;
	size_t n, k;
	const struct prop *p = prop_all(&n);
	json_t *o;

	if (prop_brand(brand) == B_BHYVE)
		return err_set(e, ENOTSUP, "brand %s is not available yet: it needs our own machine monitor", brand);
	for (size_t i = 0; i < n; i++) {
		const char *dot = strstr(p[i].name, ".*.");
		char list[32];

		if (!p[i].needs && !p[i].never)
			continue;
		if (!dot) {
			if (asks(&p[i], json_object_get(rec, p[i].name)))
				return refused(&p[i], e);
			continue;
		}
		snprintf(list, sizeof list, "%.*s", (int)(dot - p[i].name), p[i].name);
		json_array_foreach(json_object_get(rec, list), k, o)
		{
			if (asks(&p[i], json_object_get(o, dot + 3)))
				return refused(&p[i], e);
		}
	}
	if (metadata_available(rec, e) < 0)
		return -ENOTSUP;
	if (prop_brand(brand) & B_HVM)
		return !words || !strcmp(words, limit_priv_of(B_HVM))
			       ? 0
			       : err_set(e, ENOTSUP, "limit_priv of brand %s can't be chosen: its monitor has no privilege in any case", brand);
	return words && caps_from_limit_priv(&words, 1, &caps, &seccomp, e) < 0 ? -ENOTSUP : 0;
}

/* -------- secrets -------- */

static bool secret_key(const char *key)
{
	char low[256];
	size_t n = 0;

	for (; key[n] && n < sizeof low - 1; n++)
		low[n] = (char)tolower((unsigned char)key[n]);
	low[n] = 0;
	/* A key too long to look at whole is hidden rather than trusted. */
	return key[n] || str_ends(low, "_pw") || strstr(low, "password") || strstr(low, "passwd") || strstr(low, "secret");
}

static void hide(json_t *obj, bool all)
{
	const char *key;
	void *tmp;
	json_t *v;

	json_object_foreach_safe(obj, tmp, key, v)
	{
		if (all || secret_key(key))
			json_object_set_new(obj, key, json_string("<hidden>"));
	}
}

json_t *vm_redact(const json_t *rec)
{
	json_t *out, *v;
	const char *key;
	void *tmp;
	size_t i;

	if (json_is_array(rec)) {
		out = json_array();
		json_array_foreach((json_t *)rec, i, v)
			json_array_append_new(out, vm_redact(v));
		return out;
	}
	out = json_deep_copy(rec);
	json_object_foreach_safe(out, tmp, key, v)
	{
		const struct prop *p = prop_find(key);

		if (p && (p->flags & PF_SECRET) && p->type == PROP_FLAT && json_is_object(v))
			hide(v, true);
		else if ((p && (p->flags & PF_SECRET)) || secret_key(key))
			json_object_set_new(out, key, json_string("<hidden>"));
		else if (json_is_object(v))
			hide(v, false);
	}
	return out;
}
