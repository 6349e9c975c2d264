/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/qlayout.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qsize.h"
#include "model/vm.h"

/* Of a device: which members, and up to what number. */
static const struct {
	const char *name;
	json_int_t max;
} numbers[] = {{"addr", 255}, {"scsi-id", 255}, {"lun", 16383}, {"host_mtu", 65535}, {"num-queues", QSIZE_CPUS}, {"num_queues", QSIZE_CPUS}};

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

#define MIB_MAX (1 << 30)

/* Cores in their order, the first of all among them: firmware and guest began with that one. */
static bool cores_ok(const json_t *cores, json_int_t vcpus, json_int_t most)
{
	json_int_t last = -1;
	const json_t *n;
	size_t i;

	if (!json_is_array(cores) || (json_int_t)json_array_size(cores) != vcpus)
		return false;
	json_array_foreach(cores, i, n)
	{
		if (!json_is_integer(n) || json_integer_value(n) <= last || json_integer_value(n) >= most || (i == 0 && json_integer_value(n) != 0))
			return false;
		last = json_integer_value(n);
	}
	return true;
}

static bool size_ok(const json_t *layout)
{
	const json_t *s = json_object_get(layout, "size");

	if (!s)
		return true;
	return number(s, "room", 0, MIB_MAX) && number(s, "asked", 0, vm_int(s, "room", 0)) && number(s, "taken", 0, vm_int(s, "room", 0)) &&
	       (!json_object_get(s, "kept") || number(s, "kept", 0, vm_int(s, "room", 0))) &&
	       number(s, "vcpus", 1, QSIZE_CPUS) && cores_ok(json_object_get(s, "cores"), vm_int(layout, "vcpus", 0), vm_int(s, "vcpus", 0));
}

static bool sum_ok(const json_t *o, const char *key)
{
	const char *s = vm_str(o, key);

	return !json_object_get(o, key) || (s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64);
}

static bool kernel_ok(const json_t *layout)
{
	const json_t *k = json_object_get(layout, "kernel");
	const char *words = vm_str(k, "args");

	return !k || (vm_str(k, "kernel") && sum_ok(k, "kernel") && sum_ok(k, "initrd") && (!json_object_get(k, "args") || (words && strlen(words) < 2048)));
}

int qlayout_check(const json_t *layout, struct err *e)
{
	const json_t *qemu = json_object_get(layout, "qemu"), *devices = json_object_get(layout, "devices");
	bool ok = word(layout, "machine") && word(layout, "accelerator") && word(layout, "cpu") && number(layout, "ram", 1, MIB_MAX) &&
		  number(layout, "vcpus", 1, 65535) && json_is_object(devices) && json_object_size(devices) <= QLAYOUT_DEVICES &&
		  json_array_size(qemu) == 3 && size_ok(layout) && kernel_ok(layout);
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

/* ---- memory and processors ---- */

/* MiB, as a guest takes them: in twos. */
static long long room(long long ram, long long most)
{
	return most > ram ? (most - ram) / 2 * 2 : 0;
}

static long long larger(long long a, long long b)
{
	return a > b ? a : b;
}

void qlayout_size_rec(const json_t *rec, struct qlayout_size *s)
{
	*s = (struct qlayout_size){.ram = vm_int(rec, "ram", 256), .vcpus = vm_int(rec, "vcpus", 1)};
	s->room = room(s->ram, vm_int(rec, "max_ram", 0));
	s->most = larger(s->vcpus, vm_int(rec, "max_vcpus", 0));
}

void qlayout_size(const json_t *layout, const json_t *rec, struct qlayout_size *s)
{
	const json_t *had = json_object_get(layout, "size");

	qlayout_size_rec(rec, s);
	if (!had)
		return;
	*s = (struct qlayout_size){.ram = vm_int(layout, "ram", 0), .room = vm_int(had, "room", 0), .asked = vm_int(had, "asked", 0), .taken = vm_int(had, "taken", 0),
				   .kept = vm_int(had, "kept", 0), .most = vm_int(had, "vcpus", 1), .cores = json_object_get(had, "cores")};
	while (s->vcpus < (long long)json_array_size(s->cores) && json_integer_value(json_array_get(s->cores, (size_t)s->vcpus)) == s->vcpus)
		s->vcpus++;
}

int qlayout_size_check(const json_t *layout, const json_t *rec, struct err *e)
{
	long long has, cpus = vm_int(layout, "vcpus", 0);
	struct qlayout_size s, want;

	qlayout_size(layout, rec, &s);
	qlayout_size_rec(rec, &want);
	has = vm_int(layout, "ram", 0) + s.asked;
	if (vm_int(rec, "ram", 256) != has || vm_int(rec, "vcpus", 1) != cpus)
		return err_set(e, ESTALE, "the machine whose state this is has %lld MiB and %lld processors", has, cpus);
	if (s.room != room(s.ram, vm_int(rec, "max_ram", 0)) || s.most != want.most)
		return err_set(e, ESTALE, "the machine whose state this is has room for %lld MiB and %lld processors (max_ram, max_vcpus)", s.ram + s.room, s.most);
	return 0;
}
