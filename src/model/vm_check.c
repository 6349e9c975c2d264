/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One pass over a payload against the property table: is it known, is it allowed for this verb and brand, is its value
 * good. The payload is never changed: the coerced members go to an object of our own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/model.h"
#include "model/vm.h"

#define REPORT_MAX 100 /* entries of a list; a payload of garbage needs no longer answer */
#define PATH_SIZE  160

void check_init(struct check *ck, enum mode mode, const char *brand)
{
	*ck = (struct check){.mode = mode, .brand_name = brand, .brand = prop_brand(brand)};
	ck->report = json_pack("{s[]s[]s[]}", CHECK_BAD_VALUE, CHECK_BAD_PROP, CHECK_MISSING);
	if (!ck->report)
		abort();
}

void check_done(struct check *ck)
{
	json_decref(ck->report);
	ck->report = NULL;
}

const char *safe_name(const char *name, char out[68])
{
	size_t n = 0;

	for (; name[n] && n < 64; n++)
		out[n] = (name[n] < 0x20 || name[n] >= 0x7f) ? '?' : name[n];
	strcpy(out + n, name[n] ? "…" : "");
	return out;
}

void check_note(struct check *ck, const char *list, const char *path, const char *fmt, ...)
{
	json_t *a = json_object_get(ck->report, list), *v;
	va_list ap;
	size_t i;

	if (!ck->failed) {
		va_start(ap, fmt);
		vsnprintf(ck->first, sizeof ck->first, fmt, ap);
		va_end(ap);
	}
	ck->failed = true;
	json_array_foreach(a, i, v)
	{
		if (i >= REPORT_MAX || strcmp(json_string_value(v), path) == 0)
			return;
	}
	json_array_append_new(a, json_string(path));
}

int check_end(struct check *ck, json_t **report, struct err *e)
{
	if (!ck->failed)
		return 0;
	if (report)
		*report = take(ck->report);
	return err_set(e, EINVAL, "%s", ck->first);
}

/* -------- objects and payloads -------- */

/* SmartOS scripts feed what get printed back to update: these are taken and dropped. */
bool ignored_in_update(const char *key)
{
	static const char *const keys[] = {"uuid", "brand", "zonename", "hvm", "server_uuid", "last_modified"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(key, keys[i]) == 0)
			return true;
	}
	return false;
}

static bool allowed(const struct check *ck, const struct prop *p, enum mode mode)
{
	switch (mode) {
	case M_CREATE:
		return p->create & ck->brand;
	case M_UPDATE:
		return p->update & ck->brand;
	case M_RECEIVE:
		return p->receive & ck->brand;
	case M_LOAD:
		return !(p->flags & (PF_VERB | PF_ONCE)) &&
		       (((p->create | p->update | p->receive) & ck->brand) || (p->flags & PF_KEEP));
	}
	return false;
}

static void refuse(struct check *ck, const struct prop *p, const char *path, enum mode mode)
{
	static const char *const verb[] = {"at create", "by update", "by receive", "in a record"};
	unsigned ever = p->create | p->update | p->receive;

	if (p->type == PROP_OUTPUT)
		check_note(ck, CHECK_BAD_PROP, path, "%s is shown by get and can't be given", path);
	else if (!(ever & ck->brand))
		check_note(ck, CHECK_BAD_PROP, path, "%s is not a property of brand %s", path, ck->brand_name ? ck->brand_name : "?");
	else if (mode == M_UPDATE && (p->type == PROP_FLAT || p->type == PROP_OBJECTS) && !strchr(path, '.'))
		check_note(ck, CHECK_BAD_PROP, path, "%s can't be given as a whole to update: use %s_%s%s and remove_%s", path,
			   p->type == PROP_FLAT ? "set" : "add", path, p->type == PROP_FLAT ? "" : ", update_…", path);
	else
		check_note(ck, CHECK_BAD_PROP, path, "%s can't be given %s", path, verb[mode]);
}

static void unknown(struct check *ck, const char *row, const char *key, const char *path)
{
	const struct prop *near;
	char safe[68];

	if (ck->failed) { /* only the first message is kept: spare the search */
		check_note(ck, CHECK_BAD_PROP, path, "unknown property");
		return;
	}
	near = prop_nearest(row);
	safe_name(key, safe);
	if (near)
		check_note(ck, CHECK_BAD_PROP, path, "unknown property %s: did you mean %s?", safe, near->name);
	else
		check_note(ck, CHECK_BAD_PROP, path, "unknown property %s", safe);
}

static void bad_value(struct check *ck, const struct prop *p, const char *path)
{
	if (p->rule)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be %s", path, p->rule);
	else if (p->type == PROP_INT && p->max && p->max < INT32_MAX)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be a whole number from %lld to %lld", path, (long long)p->min,
			   (long long)(p->given ?: p->max));
	else if (p->type == PROP_INT)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be a whole number of at least %lld%s", path, (long long)p->min,
			   p->max ? ", and not absurdly large" : "");
	else if (p->type == PROP_LIST && p->max)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be a list of strings, at most %lld", path, (long long)p->max);
	else if (p->type == PROP_FLAT)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be an object of strings, numbers and booleans", path);
	else if (p->type == PROP_UUID)
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be a uuid in lower case", path);
	else
		check_note(ck, CHECK_BAD_VALUE, path, "%s: must be %s %s", path, strchr("aeiou", *prop_type_name(p->type)) ? "an" : "a",
			   prop_type_name(p->type));
}

/* rows: "" or "nics.*."; path: the same for the report, which has the payload's own key ("add_nics.*."). */
static void walk_members(struct check *ck, const json_t *obj, const char *rows, const char *path, const char *key_row,
			 enum mode mode, json_t *out);

static void require(struct check *ck, const json_t *obj, const char *key, const char *list, size_t index)
{
	char path[PATH_SIZE];

	if (json_object_get(obj, key))
		return;
	snprintf(path, sizeof path, "%s.%zu.%s", list, index, key);
	check_note(ck, CHECK_MISSING, path, "%s is missing", path);
}

/* What an object that is added must have. */
static void require_members(struct check *ck, const char *base, const json_t *obj, const char *list, size_t index)
{
	size_t n, len = strlen(base);
	const struct prop *p = prop_all(&n);

	for (size_t i = 0; i < n; i++) {
		if ((p[i].required & ck->brand) && strncmp(p[i].name, base, len) == 0 && strncmp(p[i].name + len, ".*.", 3) == 0)
			require(ck, obj, p[i].name + len + 3, list, index);
	}
	if (strcmp(base, "filesystems") == 0 && !str_eq(vm_str(obj, "type"), "tmpfs"))
		require(ck, obj, "source", list, index);
	if (strcmp(base, "disks") == 0 && !json_object_get(obj, "image_uuid") && !json_object_get(obj, "path"))
		require(ck, obj, str_eq(vm_str(obj, "media"), "cdrom") || vm_bool(obj, "nocreate", false) ? "path" : "size", list, index);
	if (strcmp(base, "nics") == 0 && vm_str(obj, "ip") && strcmp(vm_str(obj, "ip"), "dhcp") != 0 &&
	    !json_object_get(obj, "ips"))
		require(ck, obj, "netmask", list, index);
}

static const char *object_key(const char *base)
{
	return strcmp(base, "nics") == 0 ? "mac" : strcmp(base, "filesystems") == 0 ? "target" :
	       strcmp(base, "devices") == 0 ? "match" : "path";
}

static void walk_objects(struct check *ck, const struct prop *p, const json_t *v, enum mode mode, json_t *out)
{
	const char *base = p->name;
	char rows[64], path[64], key_row[64];
	bool update = false;
	size_t i;
	json_t *item, *a;

	if (!json_is_array(v)) {
		bad_value(ck, p, p->name);
		return;
	}
	if (json_array_size(v) > (size_t)p->max) {
		check_note(ck, CHECK_BAD_VALUE, p->name, "%s: more than %lld", p->name, (long long)p->max);
		return;
	}
	if (p->flags & PF_VERB) {
		update = str_starts(base, "update_");
		base = strchr(base, '_') + 1;
	}
	snprintf(rows, sizeof rows, "%s.*.", base);
	snprintf(path, sizeof path, "%s.*.", p->name);
	snprintf(key_row, sizeof key_row, "%s.*.%s", base, object_key(base));
	a = json_array();
	json_array_foreach((json_t *)v, i, item)
	{
		json_t *o = json_object();

		if (!json_is_object(item)) {
			snprintf(path, sizeof path, "%s.*", p->name);
			check_note(ck, CHECK_BAD_VALUE, path, "%s: must be an object", path);
			json_decref(o);
			break;
		}
		walk_members(ck, item, rows, path, update ? key_row : NULL, update ? M_UPDATE : mode == M_UPDATE ? M_CREATE : mode, o);
		if (update)
			require(ck, o, object_key(base), p->name, i);
		else
			require_members(ck, base, o, p->name, i);
		json_array_append_new(a, o);
	}
	json_object_set_new(out, p->name, a);
}

static void walk_members(struct check *ck, const json_t *obj, const char *rows, const char *path, const char *key_row,
			 enum mode mode, json_t *out)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)obj, key, v)
	{
		char row[PATH_SIZE], full[PATH_SIZE];
		_json_ json_t *c = NULL;
		const struct prop *p;
		int r;

		if (!*rows && mode == M_UPDATE && ignored_in_update(key))
			continue;
		if (strlen(key) >= PATH_SIZE - 64) {
			char safe[68];

			snprintf(full, sizeof full, "%s%s", path, safe_name(key, safe));
			unknown(ck, "", key, full);
			continue;
		}
		snprintf(row, sizeof row, "%s%s", rows, key);
		snprintf(full, sizeof full, "%s%s", path, key);
		/* A key with a dot in it must not be taken for the row of a member. */
		p = strchr(key, '.') ? NULL : prop_find(row);
		if (!p) {
			unknown(ck, strchr(key, '.') ? "" : row, key, full);
			continue;
		}
		if (!allowed(ck, p, mode) && !(key_row && strcmp(row, key_row) == 0)) {
			refuse(ck, p, full, mode);
			continue;
		}
		if (p->type == PROP_OBJECTS && !json_is_null(v) && !(json_is_string(v) && !json_string_length(v))) {
			walk_objects(ck, p, v, mode, out);
			continue;
		}
		r = coerce(p, v, &c);
		if (r == 0 && p->given && mode != M_LOAD && json_integer_value(c) > p->given)
			r = -EINVAL;
		if (r < 0)
			bad_value(ck, p, full);
		else if (r == 0)
			json_object_set(out, key, c);
		else if (mode == M_UPDATE)
			json_object_set_new(out, key, json_null());
	}
}

void walk(struct check *ck, const json_t *payload, json_t *out)
{
	walk_members(ck, payload, "", "", NULL, ck->mode, out);
}

/* Of the whole payload: brand and what a brand can't be without. */
static void require_top(struct check *ck, const json_t *out)
{
	size_t n;
	const struct prop *p = prop_all(&n);

	for (size_t i = 0; i < n; i++) {
		if (strchr(p[i].name, '.') || !(p[i].required & ck->brand) || json_object_get(out, p[i].name))
			continue;
		/* While the brand is not known only what all of them need is missing. */
		if (ck->brand == B_ALL && p[i].required != B_ALL)
			continue;
		check_note(ck, CHECK_MISSING, p[i].name, "%s is missing", p[i].name);
	}
}

/* create and receive: the brand stands in the payload. Returns false where nothing more can be checked. */
static bool find_brand(struct check *ck, const json_t *payload)
{
	const json_t *b = json_object_get(payload, "brand");
	char safe[68];

	if (!b || json_is_null(b) || (json_is_string(b) && !json_string_length(b))) {
		ck->brand = B_ALL;
		return true;
	}
	ck->brand_name = json_string_value(b);
	ck->brand = prop_brand(ck->brand_name);
	if (ck->brand)
		return true;
	ck->failed = true;
	json_object_set(ck->report, "bad_brand", (json_t *)b);
	if (str_eq(ck->brand_name, "builder"))
		snprintf(ck->first, sizeof ck->first, "brand builder is not one of ours: builds run in a joyent or lx zone");
	else
		snprintf(ck->first, sizeof ck->first, "unknown brand %s: joyent, joyent-minimal, lx, kvm or bhyve",
			 ck->brand_name ? safe_name(ck->brand_name, safe) : "(not a string)");
	return false;
}

/* The pass that vm_validate() and the record makers share; out gets the coerced members. */
void validate(struct check *ck, const json_t *payload, json_t *out)
{
	if (!json_is_object(payload)) {
		check_note(ck, CHECK_BAD_VALUE, "", "not a JSON object");
		return;
	}
	if (ck->mode != M_UPDATE && !find_brand(ck, payload))
		return;
	walk(ck, payload, out);
	if (ck->mode != M_UPDATE)
		require_top(ck, out);
	cross_check(ck, out);
}

int vm_validate(const json_t *payload, enum vm_verb verb, const char *brand, json_t **report, struct err *e)
{
	static const enum mode modes[] = {[VM_CREATE] = M_CREATE, [VM_UPDATE] = M_UPDATE, [VM_RECEIVE] = M_RECEIVE};
	_check_ struct check ck;
	_json_ json_t *out = json_object();
	char safe[68];

	check_init(&ck, modes[verb], brand);
	if (verb == VM_UPDATE && !ck.brand) {
		json_object_set_new(ck.report, "bad_brand", brand ? json_string(brand) : json_null());
		ck.failed = true;
		snprintf(ck.first, sizeof ck.first, "unknown brand %s", brand ? safe_name(brand, safe) : "");
	} else {
		validate(&ck, payload, out);
	}
	return check_end(&ck, report, e);
}
