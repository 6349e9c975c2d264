/* SPDX-License-Identifier: MPL-2.0 */
/* The verbs of update: set_x and remove_x of flat objects; remove_x, add_x and update_x of arrays of objects. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/model.h"
#include "model/vm.h"

static json_t *verb(const json_t *given, const char *what, const char *list)
{
	char key[64];

	snprintf(key, sizeof key, "%s_%s", what, list);
	return json_object_get(given, key);
}

/* As SmartOS: what is set and removed in one payload is gone. */
static void flat(json_t *rec, const json_t *given, const char *list)
{
	json_t *set = verb(given, "set", list), *gone = verb(given, "remove", list), *v;
	size_t i;

	if (!json_is_object(set) && !json_is_array(gone))
		return;
	if (!json_is_object(json_object_get(rec, list)))
		json_object_set_new(rec, list, json_object());
	if (json_is_object(set))
		json_object_update(json_object_get(rec, list), set);
	json_array_foreach(gone, i, v)
		json_object_del(json_object_get(rec, list), json_string_value(v));
}

static ssize_t find(const json_t *a, const char *key, const char *value)
{
	size_t i;
	json_t *o;

	json_array_foreach(a, i, o)
	{
		if (str_eq(vm_str(o, key), value))
			return (ssize_t)i;
	}
	return -1;
}

static void change(struct check *ck, json_t *a, json_t *target, const json_t *upd)
{
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)upd, key, v)
	{
		if (json_is_null(v))
			json_object_del(target, key);
		else
			json_object_set(target, key, v);
	}
	/* Making one NIC primary takes it from the one that was. */
	if (json_is_true(json_object_get(upd, "primary"))) {
		json_array_foreach(a, i, v)
		{
			if (v != target)
				json_object_del(v, "primary");
		}
	}
}

static void objects(struct check *ck, json_t *rec, const json_t *given, const char *list, const char *key)
{
	json_t *gone = verb(given, "remove", list), *add = verb(given, "add", list), *upd = verb(given, "update", list), *o, *v;
	json_t *a = json_object_get(rec, list);
	char path[64];
	size_t i;

	if (!json_is_array(gone) && !json_is_array(add) && !json_is_array(upd))
		return;
	if (!json_is_array(a)) {
		a = json_array();
		json_object_set_new(rec, list, a);
	}
	snprintf(path, sizeof path, "remove_%s", list);
	json_array_foreach(gone, i, v)
	{
		ssize_t at = find(a, key, json_string_value(v));

		if (at < 0)
			check_note(ck, CHECK_BAD_VALUE, path, "%s: the VM has none with %s %.128s", path, key, json_string_value(v));
		else
			json_array_remove(a, (size_t)at);
	}
	snprintf(path, sizeof path, "update_%s.*.%s", list, key);
	json_array_foreach(upd, i, o)
	{
		ssize_t at = find(a, key, vm_str(o, key));

		if (at < 0) {
			check_note(ck, CHECK_BAD_VALUE, path, "update_%s: the VM has none with %s %.128s", list, key, vm_str(o, key));
			continue;
		}
		change(ck, a, json_array_get(a, (size_t)at), o);
		if (strcmp(list, "nics") == 0)
			nic_changed(json_array_get(a, (size_t)at), o);
	}
	snprintf(path, sizeof path, "add_%s.*.%s", list, key);
	json_array_foreach(add, i, o)
	{
		if (vm_str(o, key) && find(a, key, vm_str(o, key)) >= 0) {
			check_note(ck, CHECK_BAD_VALUE, path, "add_%s: the VM has one with %s %.128s already", list, key, vm_str(o, key));
			continue;
		}
		if (json_is_true(json_object_get(o, "primary")))
			change(ck, a, o, o);
		json_array_append_new(a, json_deep_copy(o));
	}
	if (json_array_size(a) > (size_t)prop_find(list)->max)
		check_note(ck, CHECK_BAD_VALUE, list, "%s: more than %lld", list, (long long)prop_find(list)->max);
}

void verbs_apply(struct check *ck, json_t *rec, const json_t *given)
{
	flat(rec, given, "tags");
	flat(rec, given, "customer_metadata");
	flat(rec, given, "internal_metadata");
	flat(rec, given, "routes");
	objects(ck, rec, given, "nics", "mac");
	objects(ck, rec, given, "disks", "path");
	objects(ck, rec, given, "filesystems", "target");
	objects(ck, rec, given, "devices", "match");
	objects(ck, rec, given, "pci_devices", "path");
}
