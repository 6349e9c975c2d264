/* SPDX-License-Identifier: MPL-2.0 */
#include "node/machine_state.h"

#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "hvm/qdisk.h"
#include "hvm/qemu.h"
#include "hvm/qlayout.h"
#include "model/vm.h"
#include "node/kernel.h"
#include "node/machine.h"
#include "zone/limits.h"

#define ANSWER_MS 5000
#define AWAIT_MS  30000

static int writable(const struct vm *v, struct err *e)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
		if (str_eq(qdisk_model(v->rec, d), "nvme"))
			return err_set(e, ENOTSUP, "disks.%zu: QEMU can not write the state of a disk of model nvme", i);
	return 0;
}

/* The record is of what runs. */
static int fits(const struct vm *v, bool kvm, const json_t *layout, struct err *e)
{
	char **argv = NULL;
	int r = qemu_args(v->rec, kvm, layout, &argv, e);

	qemu_args_free(argv);
	return r;
}

static int waits(const struct vm *v, struct err *e)
{
	err_set(e, EBUSY, "the machine is not what its record says: there are changes that wait for its next start");
	return err_hint(e, "vmadm reboot %s", v->uuid);
}

/* What was added to it, or taken away, since it was started is in its record, but for what waits; a guest can let go of a processor that nobody asked it for. */
static int size_fits(const struct vm *v, const json_t *layout, struct err *e)
{
	long long has = vm_int(layout, "vcpus", 0), says = vm_int(v->rec, "vcpus", 1);
	int r = qlayout_size_check(layout, v->rec, NULL);

	if (r == 0 || has >= says)
		return r < 0 ? waits(v, e) : 0;
	err_set(e, EBUSY, "its guest has %lld processors, and its record says %lld", has, says);
	return err_hint(e, "vmadm update %s vcpus=%lld, or vmadm reboot %s", v->uuid, has, v->uuid);
}

/* By how much its limit in the kernel stands above its record's: what it may go on with of memory that its guest has kept. */
static void kept(struct vm *v, json_t *layout)
{
	json_t *size = json_object_get(layout, "size");
	uint64_t want = (uint64_t)vm_int(v->rec, "max_physical_memory", 0) << 20;
	long long mib = 0, room = vm_int(size, "room", 0);
	struct limits now;

	if (want && vm_need_cg(v, NULL) == 0 && limits_get(&v->cg, v->uuid, 0, &now, NULL) == 0 && now.memory != UINT64_MAX && now.memory > want)
		mib = (long long)((now.memory - want) >> 20);
	json_object_set_new(size, "kept", json_integer(mib < room ? mib : room));
}

int machine_layout(struct vm *v, json_t **layout, struct err *e)
{
	_json_ json_t *out = NULL, *kvm = NULL;
	_qmp_ struct qmp q = QMP_INIT;
	bool is;
	int r = writable(v, e);

	if (r == 0)
		r = machine_call(v, AWAIT_MS, &q, e);
	if (r == 0)
		r = machine_has_run(v, &q, e);
	if (r == 0)
		return machine_cut_off(v, e);
	if (r == 1)
		r = machine_changed(v, false, e);
	if (r == 1)
		return waits(v, e);
	if (r == 0)
		r = qmp_do(&q, "query-kvm", NULL, ANSWER_MS, &kvm, e);
	if (r < 0)
		return r;
	is = json_is_true(json_object_get(kvm, "enabled"));
	r = qlayout_ask(&q, is, &out, e);
	if (r == 0)
		r = size_fits(v, out, e);
	if (r == 0)
		r = fits(v, is, out, e);
	if (r == 0)
		kept(v, out);
	if (r == 0 && vm_str(v->rec, "kernel"))
		json_object_set_new(out, "kernel", kernel_layout(v->rec));
	if (r == -ESTALE) {
		err_set(e, EBUSY, "the machine has devices that its record has not, or not so: changes that wait for its next start, a disk or CD-ROM of this start alone");
		return err_hint(e, "vmadm reboot %s", v->uuid);
	}
	if (r == 0)
		*layout = take(out);
	return r;
}

int machine_outgoing(struct vm *v, int fd, const struct qmigrate_opts *o, struct qmigrate_now *end, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, AWAIT_MS, &q, e);

	return r < 0 ? r : qmigrate_out(&q, fd, o, end, e);
}

int machine_outgoing_undo(struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, AWAIT_MS, &q, e);

	return r < 0 ? r : qmigrate_undo(&q, e);
}

int machine_incoming_check(const struct vm *v, const json_t *layout, bool *kvm, struct err *e)
{
	_json_ json_t *rec = NULL;
	bool as_kvm;
	int r = qlayout_check(layout, e);

	if (r < 0)
		return r;
	as_kvm = str_eq(vm_str(layout, "accelerator"), "kvm");
	rec = json_copy(v->rec);
	/* what is translated can be so anywhere; what KVM ran is in nobody else's terms */
	if (!as_kvm && str_eq(vm_str(v->rec, "accelerator"), "kvm"))
		return err_set(e, ENOTSUP, "the state is of a machine that was translated (accelerator tcg), and the record says kvm");
	if (as_kvm && str_eq(vm_str(v->rec, "accelerator"), "tcg"))
		return err_set(e, ENOTSUP, "the state is of a machine that KVM ran, and the record says accelerator tcg");
	json_object_set_new(rec, "accelerator", json_string(as_kvm ? "kvm" : "tcg"));
	r = machine_accelerator(rec, &as_kvm, e);
	if (r < 0)
		return err_add(e, "the state is of a machine that KVM ran");
	r = qlayout_size_check(layout, v->rec, e);
	if (r == 0)
		r = kernel_fits(layout, v->rec, e);
	if (r == 0)
		r = fits(v, as_kvm, layout, e);
	if (r == 0)
		*kvm = as_kvm;
	return r;
}

int machine_incoming(struct vm *v, struct qmp *q, struct err *e)
{
	struct qmigrate_opts none = {0};
	int r = qlayout_suits(q, v->incoming.layout, e);

	if (r == 0)
		r = qmigrate_in(q, v->incoming.fd, v->incoming.opts ?: &none, e);
	return r < 0 ? r : qlayout_came(q, v->incoming.layout, e);
}

void machine_woken(struct vm *v, struct qmp *q)
{
	json_t *args = json_pack("{s:i, s:i, s:i, s:i}", "initial", 50, "max", 550, "rounds", 5, "step", 50);
	struct err e = ERR_INIT;

	if (qmp_do(q, "announce-self", args, ANSWER_MS, NULL, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: the network is not told where it is: %s", v->uuid, e.msg);
	if (machine_set_clock(v, q, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: its clock may be late: %s", v->uuid, e.msg);
}
