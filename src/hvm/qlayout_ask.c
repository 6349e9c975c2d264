/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The layout, asked of a machine. What it says it may say as a guest's by now: it is checked as if it came from elsewhere, and
 * all that it can decide is where devices of the same guest will be.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sum64.h"
#include "hvm/qdisk.h"
#include "hvm/qemu.h"
#include "hvm/qlayout.h"
#include "hvm/qsize.h"
#include "model/vm.h"

#define ANSWER_MS 5000
#define ALL_MS    60000
#define THINGS    "/machine/peripheral"
#define SUFFIX    "-machine"

static int get(struct qmp *q, const char *path, const char *property, json_t **out, struct err *e)
{
	return qmp_do(q, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", property), ANSWER_MS, out, e);
}

/* A number that a device of that kind may not have. */
static int get_number(struct qmp *q, const char *path, const char *property, json_t *into, struct err *e)
{
	_json_ json_t *n = NULL;
	struct err why = ERR_INIT;
	int r = get(q, path, property, &n, &why);

	if (r == 0 && json_is_integer(n))
		json_object_set(into, property, n);
	if (r < 0 && r != -EREMOTEIO && e)
		*e = why;
	return r == -EREMOTEIO ? 0 : r;
}

/* Root ports are where they always are; ports of serial lines are no place of a bus that counts; processors are in "size". */
static bool counts(const char *id, const char *type)
{
	return !str_starts(id, QEMU_PORT) && !str_ends(type, QEMU_CPU_TYPE) && !str_starts(type, "isa-") && strcmp(type, "virtserialport") && strcmp(type, "pvpanic");
}

static int one(struct qmp *q, const char *id, const char *type, json_t *devices, struct err *e)
{
	_free_ char *path = xprintf(THINGS "/%s", id);
	_json_ json_t *bus = NULL, *d = json_pack("{s:s}", "type", type);
	const char *name;
	int r = get(q, path, "parent_bus", &bus, e);

	if (r < 0)
		return r;
	name = json_string_value(bus);
	name = name && strrchr(name, '/') ? strrchr(name, '/') + 1 : "";
	json_object_set_new(d, "bus", json_string(name));
	if (str_starts(name, "scsi.")) {
		r = get_number(q, path, "scsi-id", d, e);
		if (r == 0)
			r = get_number(q, path, "lun", d, e);
	} else if (!str_starts(name, "ide.")) {
		r = get_number(q, path, "addr", d, e);
	}
	if (r == 0 && str_starts(type, "virtio-net"))
		r = get_number(q, path, "host_mtu", d, e);
	/* of which a disk has as many as the machine had processors when it was started */
	if (r == 0 && str_starts(type, "virtio-blk"))
		r = get_number(q, path, "num-queues", d, e);
	if (r == 0 && str_starts(type, "virtio-scsi"))
		r = get_number(q, path, "num_queues", d, e);
	if (r == 0)
		json_object_set(devices, id, d);
	return r;
}

static int ask_devices(struct qmp *q, json_t *devices, struct err *e)
{
	uint64_t until = clock_mono_ns() + ALL_MS * 1000000ULL;
	_json_ json_t *list = NULL;
	const json_t *p;
	size_t i;
	int r = qmp_do(q, "qom-list", json_pack("{s:s}", "path", THINGS), ANSWER_MS, &list, e);

	if (r == 0 && json_array_size(list) > QLAYOUT_DEVICES + QEMU_PORTS)
		return err_set(e, EPROTO, "QEMU names too many devices");
	json_array_foreach(list, i, p)
	{
		const char *id = vm_str(p, "name"), *type = vm_str(p, "type");
		char kind[QLAYOUT_WORD];

		if (r < 0)
			break;
		if (!id || !type || strlen(id) >= QLAYOUT_WORD || sscanf(type, "child<%63[a-zA-Z0-9_.-]>", kind) != 1 || !counts(id, kind))
			continue;
		if (clock_mono_ns() > until)
			return err_set(e, ETIME, "QEMU takes too long over its devices");
		r = one(q, id, kind, devices, e);
	}
	return r;
}

/* MiB that it was started with; what was added to that, and its processors. */
static int ask_size(struct qmp *q, json_int_t *ram, json_int_t *vcpus, json_t **out, struct err *e)
{
	_qsize_ struct qsize s = QSIZE_INIT;
	json_t *cores;
	int r = qsize_memory(q, &s, e);

	if (r == 0)
		r = qsize_cpus(q, &s, e);
	if (r < 0)
		return r;
	cores = qsize_cores(&s);
	if (!cores)
		return err_set(e, EPROTO, "QEMU does not say where its processors have their places");
	*ram = s.base >> 20;
	*vcpus = (json_int_t)s.cpus;
	*out = json_pack("{s:I, s:I, s:I, s:I, s:o}", "room", s.room >> 20, "asked", s.asked >> 20, "taken", s.taken >> 20, "vcpus", (json_int_t)s.cpus_most, "cores", cores);
	return 0;
}

/* What a guest sees of its processors, in a number: "max" and "host" are another on each host and with each QEMU. */
static int ask_processor(struct qmp *q, char hex[17], struct err *e)
{
	_json_ json_t *cpus = NULL, *model = NULL;
	_free_ char *text = NULL;
	struct sum64 sum = SUM64_INIT;
	const char *type, *path;
	char name[QLAYOUT_WORD] = "";
	int r = qmp_do(q, "query-cpus-fast", NULL, ANSWER_MS, &cpus, e);

	if (r < 0)
		return r;
	path = vm_str(json_array_get(cpus, 0), "qom-path") ?: "?";
	r = get(q, path, "type", &model, e);
	if (r < 0)
		return r;
	type = json_string_value(model) ?: "";
	snprintf(name, sizeof name, "%.*s", (int)strcspn(type, "-"), type);
	json_decref(model);
	model = NULL;
	r = qmp_do(q, "query-cpu-model-expansion", json_pack("{s:s, s:{s:s}}", "type", "full", "model", "name", name), ANSWER_MS, &model, e);
	if (r < 0)
		return r;
	text = json_dumps(model, JSON_COMPACT | JSON_SORT_KEYS);
	sum64_add(&sum, text, strlen(text));
	snprintf(hex, 17, "%016llx", (unsigned long long)sum64(&sum));
	return 0;
}

static int ask_version(struct qmp *q, json_t **out, struct err *e)
{
	_json_ json_t *v = NULL;
	const json_t *n;
	int r = qmp_do(q, "query-version", NULL, ANSWER_MS, &v, e);

	if (r < 0)
		return r;
	n = json_object_get(v, "qemu");
	*out = json_pack("[I, I, I]", (json_int_t)vm_int(n, "major", 0), (json_int_t)vm_int(n, "minor", 0), (json_int_t)vm_int(n, "micro", 0));
	return 0;
}

int qlayout_ask(struct qmp *q, bool kvm, json_t **out, struct err *e)
{
	_json_ json_t *l = NULL, *machine = NULL, *size = NULL, *version = NULL, *devices = json_object();
	json_int_t ram = 0, vcpus = 0;
	const char *type;
	char cpu[17];
	int r = get(q, "/machine", "type", &machine, e);

	if (r == 0)
		r = ask_size(q, &ram, &vcpus, &size, e);
	if (r == 0)
		r = ask_version(q, &version, e);
	if (r == 0)
		r = ask_processor(q, cpu, e);
	if (r == 0)
		r = ask_devices(q, devices, e);
	if (r < 0)
		return err_add(e, "the devices of the machine");
	type = json_string_value(machine) ?: "";
	l = json_pack("{s:i, s:o, s:O, s:s, s:s, s:I, s:I, s:O, s:O}", "version", QLAYOUT_VERSION, "machine",
		      json_stringn(type, strlen(type) > strlen(SUFFIX) ? strlen(type) - strlen(SUFFIX) : 0), "qemu", version, "accelerator", kvm ? "kvm" : "tcg",
		      "cpu", cpu, "ram", ram, "vcpus", vcpus, "devices", devices, "size", size);
	r = qlayout_check(l, e);
	if (r < 0)
		return r;
	*out = take(l);
	return 0;
}

int qlayout_suits(struct qmp *q, const json_t *layout, struct err *e)
{
	const json_t *had = json_object_get(layout, "qemu");
	_json_ json_t *has = NULL;
	char cpu[17];
	int r = ask_version(q, &has, e), d = 0;

	if (r < 0)
		return r;
	/* the third number is of repairs, which change no state */
	for (size_t i = 0; i < 2 && d == 0; i++)
		d = (int)(json_integer_value(json_array_get(has, i)) - json_integer_value(json_array_get(had, i)));
	if (d < 0)
		return err_set(e, ENOTSUP, "the state is of QEMU %d.%d, and this is the older %d.%d", (int)json_integer_value(json_array_get(had, 0)),
			       (int)json_integer_value(json_array_get(had, 1)), (int)json_integer_value(json_array_get(has, 0)),
			       (int)json_integer_value(json_array_get(has, 1)));
	r = ask_processor(q, cpu, e);
	if (r == 0 && !str_eq(cpu, vm_str(layout, "cpu"))) {
		err_set(e, ENOTSUP, "the guest's processors would change under it: this host's or this QEMU's are others than those that the state was written with");
		err_hint(e, "cpu_type qemu64 is the same on all hosts that have KVM.");
		r = -ENOTSUP;
	}
	return r;
}

int qlayout_came(struct qmp *q, const json_t *layout, struct err *e)
{
	const json_t *had = json_object_get(layout, "size");
	_qsize_ struct qsize s = QSIZE_INIT;
	json_int_t asked = vm_int(had, "asked", 0), taken = vm_int(had, "taken", 0);
	int r;

	if (vm_int(had, "room", 0) == 0)
		return 0;
	r = qsize_room(q, &s, e);
	/* a guest that had not taken all of it may have taken more meanwhile */
	if (r == 0 && (s.asked >> 20 != asked || s.taken >> 20 > (taken > asked ? taken : asked)))
		r = err_set(e, EBADMSG, "the state of a machine: it says that %lld MiB were added to it, and brings %lld of %lld", (long long)asked, (long long)(s.taken >> 20),
			    (long long)(s.asked >> 20));
	return r;
}
