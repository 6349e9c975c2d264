/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Processors and memory of a machine that runs (docs/decisions/memory-hotplug.md). Memory above what it started with is one device (virtio-mem), of which the
 * guest is offered as much as the record says; processors are plugged in order and go the other way. What it has is asked of it, not
 * remembered, and what its guest does about it is the guest's affair: the cgroup's limit has room for what was offered.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qemu.h"
#include "hvm/qsize.h"
#include "model/vm.h"
#include "node/machine.h"

#define ANSWER_MS 5000
#define LOOK_MS   1000
#define MIB       1048576LL
#define STEP      (2 * MIB)
#define GRAIN     (4 * MIB) /* a guest may take no less at a time */

static void wait_event(struct qmp *q, const char *name, uint64_t until)
{
	uint64_t now = clock_mono_ns(), ms = until > now ? (until - now) / 1000000 + 1 : 0;

	if (ms)
		(void)qmp_event(q, name, (int)(ms < LOOK_MS ? ms : LOOK_MS), NULL);
}

/* ---- memory ---- */

static int offer(struct vm *v, struct qmp *q, struct qsize *s, json_int_t want, uint64_t until, unsigned *later, struct err *e)
{
	bool smaller = want < s->taken;
	int r = 0;

	if (want % STEP)
		return err_set(e, EINVAL, "ram: of a machine that runs it changes by steps of %lld MiB from the %lld that it started with", STEP / MIB, (long long)(s->base / MIB));
	if (want != s->asked)
		r = qmp_do(q, "qom-set", json_pack("{s:s,s:s,s:I}", "path", "/machine/peripheral/" QEMU_ROOM, "property", "requested-size", "value", want),
			   ANSWER_MS, NULL, e);
	while (r == 0 && (r = qsize_memory(q, s, e)) == 0 && s->taken != want && clock_mono_ns() < until)
		wait_event(q, "MEMORY_DEVICE_SIZE_CHANGE", until);
	if (r < 0)
		return r;
	if (smaller && s->taken > want) {
		err_set(e, ETIME, "ram: the guest did not give back more than %lld MiB of it", (long long)((s->base + s->taken) / MIB));
		return err_hint(e, "What is in use where memory was added can't be moved; free some in the guest, or stop the machine first.");
	}
	if (s->taken + GRAIN > want)
		return 0;
	*later |= MACHINE_RAM;
	ctx_log(v->c, LOG_WARN, "VM %s: its guest has taken %lld of %lld MiB that were added; the rest when it can (driver virtio-mem), or with its next start",
		v->uuid, (long long)(s->taken / MIB), (long long)(want / MIB));
	return 0;
}

static int memory(struct vm *v, struct qmp *q, const json_t *to, uint64_t until, unsigned *later, struct err *e)
{
	_qsize_ struct qsize s = QSIZE_INIT;
	json_int_t want = vm_int(to, "ram", 0) * MIB;
	int r = qsize_memory(q, &s, e);

	if (r < 0)
		return r;
	want -= s.base;
	if (want == 0 && !s.room)
		return 0;
	/* not within what it started with room for: what it has stays */
	if (want < 0 || want > s.room) {
		*later |= MACHINE_RAM;
		return 0;
	}
	return offer(v, q, &s, want, until, later, e);
}

/* ---- processors ---- */

static int plug(struct qmp *q, const struct qsize *s, struct err *e)
{
	const json_t *c = qsize_place(s, false);
	_json_ json_t *args = json_deep_copy(json_object_get(c, "props"));

	if (!args || !vm_str(c, "type"))
		return err_set(e, EPROTO, "vcpus: QEMU does not say where another processor has its place");
	json_object_set_new(args, "driver", json_string(vm_str(c, "type")));
	json_object_set_new(args, "id", json_sprintf(QEMU_CPU "%lld", (long long)vm_int(args, "core-id", 0)));
	return qmp_do(q, "device_add", json_incref(args), ANSWER_MS, NULL, e);
}

static int unplug(struct qmp *q, struct qsize *s, uint64_t until, struct err *e)
{
	const char *path = vm_str(qsize_place(s, true), "qom-path");
	size_t had = s->cpus;
	int r = path ? qmp_do(q, "device_del", json_pack("{s:s}", "id", path), ANSWER_MS, NULL, e) : err_set(e, EPROTO, "vcpus: QEMU has no processor to take away");

	/* asked before, and the guest thinks about it */
	if (r == -EREMOTEIO && strstr(e->msg, "in the process of unplug"))
		r = 0;
	while (r == 0 && (r = qsize_cpus(q, s, e)) == 0 && s->cpus >= had) {
		if (clock_mono_ns() >= until) {
			err_set(e, ETIME, "vcpus: the guest did not let go of a processor; it has %zu", s->cpus);
			return err_hint(e, "It has to know hot-plug of processors (ACPI); or stop the machine first.");
		}
		wait_event(q, "DEVICE_DELETED", until);
	}
	return r;
}

/* A QEMU that translates may end itself (a double free) after one of its processors' threads has gone, as late as at the guest's next reset. */
static int may_go(struct qmp *q, struct err *e)
{
	_json_ json_t *kvm = NULL;
	int r = qmp_do(q, "query-kvm", NULL, ANSWER_MS, &kvm, e);

	if (r < 0 || json_is_true(json_object_get(kvm, "enabled")))
		return r;
	err_set(e, ENOTSUP, "vcpus: a machine that is translated (accelerator tcg) can have fewer with its next start only");
	return err_hint(e, "Stop it first: QEMU does not survive taking one away.");
}

static int processors(struct vm *v, struct qmp *q, const json_t *to, uint64_t until, unsigned *later, struct err *e)
{
	_qsize_ struct qsize s = QSIZE_INIT;
	size_t want = (size_t)vm_int(to, "vcpus", 1);
	int r = qsize_cpus(q, &s, e);
	bool more;

	if (r == 0 && want > s.cpus_most)
		*later |= MACHINE_VCPUS;
	more = want > s.cpus;
	/* each time nearer to it: a monitor that says now this and now that is not followed for ever */
	while (r == 0 && want <= s.cpus_most && (more ? s.cpus < want : s.cpus > want)) {
		size_t had = s.cpus;

		r = more ? 0 : may_go(q, e);
		if (r == 0)
			r = more ? plug(q, &s, e) : unplug(q, &s, until, e);
		if (r == 0)
			r = qsize_cpus(q, &s, e);
		if (r == 0 && (more ? s.cpus <= had : s.cpus >= had))
			r = err_set(e, EPROTO, "vcpus: QEMU had %zu processors and has %zu, which is not what it was told", had, s.cpus);
	}
	return r;
}

int machine_resize(struct vm *v, const json_t *from, const json_t *to, int ms, unsigned *later, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
	unsigned none = 0;
	int r = 0;

	if (json_equal(json_object_get(from, "ram"), json_object_get(to, "ram")) && json_equal(json_object_get(from, "vcpus"), json_object_get(to, "vcpus")))
		return 0;
	r = machine_call(v, ANSWER_MS, &q, e);
	if (r == 0 && !json_equal(json_object_get(from, "ram"), json_object_get(to, "ram")))
		r = memory(v, &q, to, until, later ?: &none, e);
	if (r == 0 && !json_equal(json_object_get(from, "vcpus"), json_object_get(to, "vcpus")))
		r = processors(v, &q, to, until, later ?: &none, e);
	return r == -ESRCH ? 0 : r; /* it has ended meanwhile: its next start has what the record says */
}

int machine_memory(const struct vm *v, int64_t *mib, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	_qsize_ struct qsize s = QSIZE_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e);

	if (r == 0)
		r = qsize_memory(&q, &s, e);
	if (r == 0)
		*mib = (s.base + (s.taken > s.asked ? s.taken : s.asked)) / MIB;
	return r;
}

int machine_shrinks(const struct vm *v, const json_t *to, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	_qsize_ struct qsize s = QSIZE_INIT;
	int64_t was = vm_int(v->rec, "ram", 0), is = vm_int(to, "ram", 0);
	int r;

	/* what is beside the guest's memory stays as much */
	if (is >= was || vm_int(to, "max_physical_memory", 0) - is < vm_int(v->rec, "max_physical_memory", 0) - was)
		return 0;
	r = machine_call(v, ANSWER_MS, &q, e);
	if (r == 0)
		r = qsize_memory(&q, &s, e);
	return r < 0 ? r : is * MIB >= s.base;
}
