/* SPDX-License-Identifier: MPL-2.0 */
/* `vmadm info` and `vmadm sysrq` of a machine: what its monitor says of itself, and what can be done to it beside start and stop. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qmp.h"
#include "hvm/qtune.h"
#include "model/vm.h"
#include "node/machine.h"
#include "node/screen.h"
#include "node/vmops.h"

#define ANSWER_MS 5000
#define ALL_MS    10000 /* for all that is asked: one that takes its time with each answer keeps nobody longer */

int machine_ask_memory(struct qmp *q, struct err *e)
{
	return qmp_say(q, "qom-set", json_pack("{s:s,s:s,s:i}", "path", "/machine/peripheral/balloon", "property", "guest-stats-polling-interval",
					       "value", 10), ANSWER_MS, e);
}

#define NOT_KNOWN 9e15 /* 2^64 - 1, as a real number or cut to an integer */

/* The monitor's part: started_with, added since (a guest takes what it is offered), and what of it the balloon holds; bytes. */
static int sizes(struct qmp *q, json_t *o, struct err *e)
{
	_json_ json_t *size = NULL, *now = NULL;
	json_int_t base, left;
	int r = qmp_do(q, "query-memory-size-summary", NULL, ANSWER_MS, &size, e);

	if (r == 0)
		r = qmp_do(q, "query-balloon", NULL, ANSWER_MS, &now, e);
	if (r < 0)
		return r;
	base = json_integer_value(json_object_get(size, "base-memory"));
	left = json_integer_value(json_object_get(now, "actual"));
	json_object_set_new(o, "started_with", json_integer(base));
	json_object_set_new(o, "added", json_integer(json_integer_value(json_object_get(size, "plugged-memory"))));
	json_object_set_new(o, "balloon", json_integer(left < base && left >= 0 ? base - left : 0));
	return 0;
}

/* In the guest's own words, where it has a driver; what it does not say is left out. */
static int memory(struct qmp *q, json_t **out, struct err *e)
{
	_json_ json_t *all = NULL;
	json_t *o, *v;
	const char *key;
	int r = qmp_do(q, "qom-get", json_pack("{s:s,s:s}", "path", "/machine/peripheral/balloon", "property", "guest-stats"), ANSWER_MS, &all, e);

	if (r < 0)
		return r;
	o = json_object();
	json_object_foreach(json_object_get(all, "stats"), key, v)
		if (json_number_value(v) >= 0 && json_number_value(v) < NOT_KNOWN)
			json_object_set_new(o, str_starts(key, "stat-") ? key + 5 : key, json_integer((json_int_t)json_number_value(v)));
	v = json_object_get(all, "last-update");
	if (json_number_value(v) >= 0 && json_number_value(v) < NOT_KNOWN)
		json_object_set_new(o, "updated", json_integer((json_int_t)json_number_value(v)));
	r = sizes(q, o, e);
	if (r < 0)
		json_decref(o);
	else
		*out = o;
	return r;
}

static int accelerator(struct qmp *q, json_t **out, struct err *e)
{
	_json_ json_t *kvm = NULL;
	int r = qmp_do(q, "query-kvm", NULL, ANSWER_MS, &kvm, e);

	if (r == 0)
		*out = json_string(json_is_true(json_object_get(kvm, "enabled")) ? "kvm" : "tcg");
	return r;
}

/* As QEMU counts them, its histograms in words. */
static int blockstats(struct qmp *q, json_t **out, struct err *e)
{
	static const char *const raw[] = {"rd_latency_histogram", "wr_latency_histogram", "flush_latency_histogram"};
	json_t *all = NULL, *d;
	size_t i;
	int r = qmp_do(q, "query-blockstats", NULL, ANSWER_MS, &all, e);

	json_array_foreach(all, i, d)
	{
		json_t *stats = json_object_get(d, "stats"), *latency = qtune_latency(stats);

		if (latency)
			json_object_set_new(d, "latency", latency);
		for (size_t k = 0; k < ARRAY_LEN(raw); k++)
			json_object_del(stats, raw[k]);
	}
	if (r == 0)
		*out = all;
	return r;
}

static const struct part {
	const char *name, *command;
} parts[] = {
	{"status", "query-status"}, {"kvm", "query-kvm"}, {"accelerator", NULL}, {"cpus", NULL}, {"block", "query-block"},
	{"blockstats", NULL}, {"chardev", "query-chardev"}, {"pci", "query-pci"}, {"balloon", "query-balloon"},
	{"memory", NULL}, {"vnc", NULL}, {"version", "query-version"},
};

static bool wanted(const char *const *types, const char *name)
{
	for (; types && *types; types++)
		if (!strcmp(*types, name))
			return true;
	return !types;
}

int machine_info_types(const char *const *types, struct err *e)
{
	for (; *types; types++) {
		bool known = str_eq(*types, "all");

		if (str_eq(*types, "spice"))
			return err_set(e, ENOTSUP, "info spice: a machine has its screen by VNC: vnc");
		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			known |= str_eq(*types, parts[i].name);
		if (!known)
			return err_set(e, EINVAL,
				       "info %s: unknown type; accelerator, all, balloon, block, blockstats, chardev, cpus, kvm, memory, pci, status, version or vnc", *types);
	}
	return 0;
}

static int one(const struct vm *v, const struct part *p, struct qmp *q, json_t **out, struct err *e)
{
	if (str_eq(p->name, "vnc"))
		return screen_info(v, q, out, e);
	if (str_eq(p->name, "accelerator"))
		return accelerator(q, out, e);
	if (str_eq(p->name, "cpus"))
		return machine_cpus(v, q, out, e);
	if (str_eq(p->name, "memory"))
		return memory(q, out, e);
	if (str_eq(p->name, "blockstats"))
		return blockstats(q, out, e);
	return qmp_do(q, p->command, NULL, ANSWER_MS, out, e);
}

int machine_info(const struct vm *v, const char *const *types, json_t *out, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e);

	qmp_bound(&q, ALL_MS);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++) {
		json_t *value = NULL;

		if (!wanted(types, parts[i].name))
			continue;
		r = one(v, &parts[i], &q, &value, e);
		if (r == 0)
			json_object_set_new(out, parts[i].name, value);
		else if (r == -EREMOTEIO) /* a question that this QEMU does not know */
			r = 0;
	}
	return r;
}

int vm_sysrq(struct ctx *c, const char *word, const char *what, char **said, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	_qmp_ struct qmp q = QMP_INIT;
	_free_ char *file = NULL;
	/* a picture is written into its dataset, which nobody shall be taking away */
	int r = vm_open(c, word, VM_LOCK, &v, e);

	if (r < 0)
		return r;
	if (!brand_hvm(v.brand))
		return err_set(e, EINVAL, "VM %s is a zone: sysrq is for machines (brand kvm)", v.uuid);
	if (!v.run.running)
		return err_set(e, EINVAL, "VM %s is not running", v.uuid);
	r = machine_call(&v, ANSWER_MS, &q, e);
	if (r == 0 && str_eq(what, "nmi"))
		r = qmp_do(&q, "inject-nmi", NULL, ANSWER_MS, NULL, e);
	else if (r == 0)
		r = screen_shot(&v, &q, &file, e);
	if (r < 0 && !str_eq(what, "nmi") && str_eq(vm_str(v.rec, "vga"), "none"))
		err_hint(e, "Its vga is none: `vmadm update %s vga=std` gives it a screen, from its next start on.", v.uuid);
	if (r < 0)
		return err_add(e, "sysrq %s VM %s", what, v.uuid);
	*said = file ? xprintf("Successfully took a screenshot of VM %s: %s", v.uuid, file) : xprintf("Successfully sent an NMI to VM %s", v.uuid);
	return 0;
}
