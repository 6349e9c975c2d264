/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qlayout.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"

/* Of a device: which members, and up to what number. */
static const struct {
	const char *name;
	json_int_t max;
} numbers[] = {{"addr", 255}, {"scsi-id", 255}, {"lun", 16383}, {"host_mtu", 65535}};

static bool word(const json_t *o, const char *key)
{
	const char *s = vm_str(o, key);
	size_t n = s ? strlen(s) : 0;

	return n && n < QLAYOUT_WORD && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static bool number(const json_t *o, const char *key, json_int_t min, json_int_t max)
{
	const json_t *n = json_object_get(o, key);

	return json_is_integer(n) && json_integer_value(n) >= min && json_integer_value(n) <= max;
}

static bool device_ok(const json_t *d)
{
	if (!json_is_object(d) || !word(d, "type") || !word(d, "bus"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (json_object_get(d, numbers[i].name) && !number(d, numbers[i].name, 0, numbers[i].max))
			return false;
	return true;
}

int qlayout_check(const json_t *layout, struct err *e)
{
	const json_t *qemu = json_object_get(layout, "qemu"), *devices = json_object_get(layout, "devices");
	bool ok = word(layout, "machine") && word(layout, "accelerator") && word(layout, "cpu") && number(layout, "ram", 1, 1 << 30) &&
		  number(layout, "vcpus", 1, 65535) && json_is_object(devices) && json_object_size(devices) <= QLAYOUT_DEVICES &&
		  json_array_size(qemu) == 3;
	const char *id;
	json_t *d;

	if (!number(layout, "version", QLAYOUT_VERSION, QLAYOUT_VERSION))
		return err_set(e, ENOTSUP, "the state of a machine: it is of a version that is not known here");
	for (size_t i = 0; ok && i < 3; i++)
		ok = json_is_integer(json_array_get(qemu, i)) && json_integer_value(json_array_get(qemu, i)) >= 0 &&
		     json_integer_value(json_array_get(qemu, i)) < 10000;
	if (ok)
		ok = str_eq(vm_str(layout, "accelerator"), "kvm") || str_eq(vm_str(layout, "accelerator"), "tcg");
	if (ok)
		ok = str_starts(vm_str(layout, "machine"), "pc-q35-");
	json_object_foreach((json_t *)devices, id, d)
		ok = ok && strlen(id) < QLAYOUT_WORD && device_ok(d);
	return ok ? 0 : err_set(e, EBADMSG, "the state of a machine: what it says of its devices is damaged");
}

int qlayout_place(const json_t *layout, json_t *device, struct err *e)
{
	const char *id = vm_str(device, "id"), *type = vm_str(device, "driver");
	const json_t *had = json_object_get(json_object_get(layout, "devices"), id);

	if (!layout)
		return 0;
	if (!had)
		return err_set(e, ESTALE, "the machine whose state this is has no %s", id);
	if (!str_eq(vm_str(had, "type"), type))
		return err_set(e, ESTALE, "the machine whose state this is has as %s not %s, but %s", id, type, vm_str(had, "type"));
	json_object_set(device, "bus", json_object_get(had, "bus"));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_t *n = json_object_get(had, numbers[i].name);

		if (!n)
			json_object_del(device, numbers[i].name);
		else if (str_eq(numbers[i].name, "addr"))
			json_object_set_new(device, "addr", json_sprintf("%x.%x", (unsigned)json_integer_value(n) >> 3, (unsigned)json_integer_value(n) & 7));
		else
			json_object_set(device, numbers[i].name, n);
	}
	return 0;
}
