/* SPDX-License-Identifier: MPL-2.0 */
#include "node/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/accel.h"
#include "hvm/qdisk.h"
#include "hvm/qemu.h"
#include "hvm/qemu_nic.h"
#include "model/vm.h"
#include "node/dataset.h"
#include "node/disks.h"
#include "node/seed.h"
#include "node/firmware.h"
#include "node/kernel.h"
#include "node/machine_state.h"
#include "node/machine_words.h"
#include "node/rtc.h"
#include "node/saved.h"
#include "node/screen.h"
#include "node/spec_in.h"

#define AWAIT_MS  30000 /* an emulated host is slow */
#define ANSWER_MS 5000
#define KSM_RUN   "/sys/kernel/mm/ksm/run"

/* What the boot would refuse is refused before anything is stored. */
static int args_check(const json_t *rec, struct err *e)
{
	char **argv = NULL;
	int r = qemu_args(rec, false, NULL, &argv, e);

	qemu_args_free(argv);
	return r;
}

/* 1 = it can be, and the operator has it switched off. */
static int page_sharing(const json_t *rec, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	int r;

	if (!vm_bool(rec, "page_sharing", false))
		return 0;
	r = file_read(AT_FDCWD, KSM_RUN, 64, &b, NULL);
	if (r < 0)
		return err_set(e, ENOTSUP, "page_sharing: this host's kernel can't (no " KSM_RUN ")");
	return b.p[0] != '1';
}

static int page_sharing_off(struct ctx *c, const json_t *rec, struct err *e)
{
	int r = page_sharing(rec, e);

	if (r == 1)
		ctx_log(c, LOG_WARN, "page_sharing: nothing is shared before " KSM_RUN " is 1, which is the host's operator's to write");
	return r < 0 ? r : 0;
}

static void quota_warn(struct ctx *c, const json_t *rec)
{
	if (vm_int(rec, "quota", 0) == 0 && disks_bytes(rec) > 0)
		ctx_log(c, LOG_WARN, "quota 0: nothing bounds what this VM takes of the pool: its guest alone can fill it, by many times the size of its disks");
}

int machine_check(struct ctx *c, json_t *rec, const json_t *payload, struct err *e)
{
	bool kvm;
	int r;

	if (!brand_hvm(brand_find(vm_str(rec, "brand"))))
		return 0;
	if (vm_str(rec, "image_uuid"))
		return err_set(e, EINVAL, "image_uuid: a machine has its image in a disk: disks.*.image_uuid");
	r = qemu_there(e);
	if (r == 0)
		r = disks_fill(c, rec, 0, json_object_get(payload, "disks"), (bool[QDISK_NUMBERS]){false}, e);
	if (r == 0)
		r = disks_alone(c, NULL, rec, e);
	if (r == 0)
		r = args_check(rec, e);
	if (r == 0)
		r = screen_check(c, rec, e);
	if (r == 0)
		r = firmware_there(rec, e);
	if (r == 0)
		r = kernel_check(c, NULL, rec, payload, e);
	if (r == 0)
		r = rtc_zone(rec, NULL, e);
	if (r == 0)
		r = page_sharing_off(c, rec, e);
	/* the boot asks again: the VM may be started on another kernel */
	if (r == 0)
		r = machine_accelerator(rec, &kvm, e);
	if (r >= 0)
		machine_boot_warn(c, rec);
	if (r >= 0)
		quota_warn(c, rec);
	return r < 0 ? r : 0;
}

int machine_check_update(struct vm *v, json_t *rec, const json_t *payload, struct err *e)
{
	const json_t *old = v->rec;
	bool kvm;
	int r;

	if (!brand_hvm(brand_find(vm_str(rec, "brand"))))
		return 0;
	/* the guest has what it was started with until it ends: with less under it, it would be killed some time later */
	r = v->run.running && vm_int(rec, "max_physical_memory", 0) < vm_int(old, "max_physical_memory", 0) ? machine_shrinks(v, rec, e) : 1;
	if (r < 0)
		return r;
	if (r == 0) {
		err_set(e, EBUSY, "the memory of a machine that runs can not become less");
		return err_hint(e, "vmadm stop %s", vm_str(rec, "uuid"));
	}
	r = disks_check(v, old, rec, payload, e);
	if (r == 0)
		r = args_check(rec, e);
	if (r == 0)
		r = screen_check(v->c, rec, e);
	if (r == 0)
		r = firmware_there(rec, e);
	if (r == 0)
		r = kernel_check(v->c, old, rec, payload, e);
	/* one that was set may be gone from the host meanwhile, and is nobody's affair before the next start */
	if (r == 0 && !json_equal(json_object_get(old, "rtc"), json_object_get(rec, "rtc")))
		r = rtc_zone(rec, NULL, e);
	if (r == 0 && !json_equal(json_object_get(old, "page_sharing"), json_object_get(rec, "page_sharing")))
		r = page_sharing_off(v->c, rec, e);
	if (r == 0 && !json_equal(json_object_get(old, "boot"), json_object_get(rec, "boot")))
		machine_boot_warn(v->c, rec);
	if (r == 0 && !json_equal(json_object_get(old, "quota"), json_object_get(rec, "quota")))
		quota_warn(v->c, rec);
	if (r == 0 && (!json_equal(json_object_get(old, "accelerator"), json_object_get(rec, "accelerator")) ||
		       !json_equal(json_object_get(old, "hyperv"), json_object_get(rec, "hyperv"))))
		r = machine_accelerator(rec, &kvm, e);
	return r < 0 ? r : 0;
}

static int accelerator(const json_t *rec, struct accel_probe *ahead, bool *kvm, struct err *e)
{
	const char *asked = vm_str(rec, "accelerator");
	struct err why = ERR_INIT;

	*kvm = !str_eq(asked, "tcg") && (ahead && ahead->said >= 0 ? accel_probe_end(ahead, &why) : accel_kvm_probe(&why)) == 0;
	if (!*kvm && vm_bool(rec, "hyperv", false))
		return err_set(e, ENOTSUP, "hyperv: it needs KVM: %s", why.code ? why.msg : "accelerator is tcg");
	if (*kvm || !str_eq(asked, "kvm"))
		return why.code == ETIME ? 1 : 0;
	err_set(e, ENOTSUP, "accelerator kvm: %s", why.msg);
	return err_hint(e, "Leave it out, or say tcg: binary translation runs any guest, at a fraction of the speed.");
}

int machine_accelerator(const json_t *rec, bool *kvm, struct err *e)
{
	return accelerator(rec, NULL, kvm, e);
}

static void hand(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path)
{
	z->fds = xrealloc(z->fds, (z->nfds + 1) * sizeof *z->fds);
	z->fds[z->nfds++] = (struct zfd){.number = number, .kind = kind, .path = xstrdup(path)};
}

int machine_spec(struct vm *v, struct zspec *z, struct err *e)
{
	char zone[RTC_RULE] = "";
	const json_t *d;
	unsigned nenv = 0;
	bool kvm;
	size_t i;
	int r = page_sharing(v->rec, e);

	if (r >= 0)
		r = v->incoming.layout ? machine_incoming_check(v, v->incoming.layout, &kvm, e) : accelerator(v->rec, &v->probe, &kvm, e);
	if (r == 1) {
		ctx_log(v->c, LOG_WARN, "VM %s: the host was too busy to find out whether KVM runs a guest: it is translated (accelerator tcg)", v->uuid);
		state_event(v->st, "accelerator-tcg", v->uuid, NULL, NULL);
	}
	if (r >= 0) /* what a rollback, or a kill, has left smaller than it is; of a VM that is being made there is nothing yet */
		r = disks_settle(v, v->rec, false, e);
	if (r == 0) /* one that an earlier version has made has another limit */
		r = dataset_quota(v, v->rec, v->rec, e);
	if (r == 0 || r == -ENOENT)
		r = qemu_args(v->rec, kvm, v->incoming.layout, &z->argv, e);
	if (r == 0)
		r = rtc_zone(v->rec, zone, e);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(v->rec, "nics"), i, d)
		hand(z, QEMU_FD_NIC + (unsigned)i, ZFD_SENT, vm_str(d, "interface") ?: "nic");
	machine_words_begin(v);
	/* one heap for its threads, of which one at a time has work (its big lock): each further one is some 0.2 MiB of leftovers */
	spec_env(z, &nenv, "MALLOC_ARENA_MAX", "1");
	if (*zone)
		spec_env(z, &nenv, "TZ", zone);
	z->root_empty = true;
	z->user = xstrdup("1000:1000");
	z->restart_init = false;
	hand(z, QEMU_FD_QMP, ZFD_LISTEN, QEMU_SOCK);
	hand(z, QEMU_FD_AGENT, ZFD_LISTEN, QEMU_AGENT_SOCK);
	hand(z, QEMU_FD_COM2, ZFD_LISTEN, QEMU_COM2_SOCK);
	hand(z, QEMU_FD_EVENTS, ZFD_LISTEN, QEMU_EVENTS);
	if (vm_bool(v->rec, "nocloud", false)) /* written when the run directory is there: boot-zone */
		hand(z, QEMU_FD_SEED, ZFD_FILE_RO, SEED_FILE);
	r = firmware_spec(v, hand, z, e);
	if (r == 0)
		r = kernel_spec(v, hand, z, e);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(v->rec, "disks"), i, d)
	{
		_free_ char *path = disk_path(v->c, v->rec, d);

		hand(z, QEMU_FD_DISK + (unsigned)i, qdisk_cdrom(d) ? ZFD_FILE_RO : ZFD_FILE, path);
	}
	return 0;
}

int machine_call(const struct vm *v, int ms, struct qmp *q, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" QEMU_SOCK, v->c->node.run, v->uuid);
	int r = qmp_open(path, ms, q, e);

	return r == -ECONNREFUSED || r == -ENOENT || r == -EPIPE ? err_set(e, ESRCH, "VM %s: its monitor has ended", v->uuid) : r;
}

/* Who will take from the zone what the monitor needs to start: from then on its root is empty. */
static int closer(const struct vm *v, struct zone_emptying *a, struct err *e)
{
	const char *targets[ZONE_EMPTYING_MAX];

	/* the host may not have such a share, or who was killed here has taken it away */
	for (size_t i = 0; i < v->brand->nshare && i < ZONE_EMPTYING_MAX; i++)
		targets[i] = v->brand->share[i].path;
	return zone_mounts_remove_start(v->c, &v->run, targets, v->brand->nshare, a, e);
}

static int close_zone(const struct vm *v, struct zone_emptying *a, struct err *e)
{
	return zone_mounts_remove(v->c, a, e) < 0 ? err_add(e, "empty the zone of VM %s", v->uuid) : 0;
}

static const char *status_of(const json_t *status)
{
	return json_string_value(json_object_get(status, "status")) ?: "?";
}

int machine_has_run(const struct vm *v, struct qmp *q, struct err *e)
{
	_json_ json_t *status = NULL;
	int r = qmp_do(q, "query-status", NULL, ANSWER_MS, &status, e);
	const char *is = status_of(status);

	if (r < 0)
		return r;
	if (str_eq(is, "inmigrate") || str_eq(is, "prelaunch") || str_eq(is, "preconfig"))
		return 0;
	/* one that was loaded stands as what was written of it did; that is dropped last, before its next instruction */
	return str_eq(is, "running") || (qmigrate_stands(is) && !str_eq(is, "paused")) || !saved_there(v->c, v->uuid);
}

int machine_cut_off(const struct vm *v, struct err *e)
{
	err_set(e, EBUSY, "its %s was cut off, and its guest waits", saved_there(v->c, v->uuid) ? "resume" : "start");
	return err_hint(e, "vmadm start %s", v->uuid);
}

/* It has said that it runs, or says so when it is asked. */
static int let_go(struct qmp *q, struct err *e)
{
	_json_ json_t *status = NULL;
	int r = qmp_cont(q, ANSWER_MS, e);

	if (r == 1)
		r = qmp_do(q, "query-status", NULL, ANSWER_MS, &status, e);
	if (r == 0 && status && !json_is_true(json_object_get(status, "running")))
		return err_set(e, EIO, "the machine does not run: %s", status_of(status));
	return r;
}

/* No instruction of the guest's runs (-S) before the zone is empty, which it becomes while the monitor is told the rest: it has read all that it reads. */
static int release(struct vm *v, struct qmp *q, struct zone_emptying *a, bool woken, struct err *e)
{
	int r = zone_mounts_remove_begin(a, e);

	if (r == 0)
		r = screen_open(v, q, e);
	if (r == 0)
		r = machine_ask_memory(q, e);
	if (r == 0)
		r = disks_tune(q, v->rec, clock_mono_ns() + AWAIT_MS * 1000000ULL, e);
	if (r == 0)
		r = close_zone(v, a, e);
	if (r == 0)
		r = machine_order_later(v->rec, q, e);
	/* a state that was on the disk is of an instant that is over when the next instruction runs */
	if (r == 0)
		r = saved_drop(v, e);
	if (r >= 0)
		r = let_go(q, e);
	if (r == 0 && woken)
		machine_woken(v, q);
	return r;
}

/* The same of one that may be anywhere. What a full disk has stopped goes on. 1 = it was let go before; 2: it waits for a state. */
static int release_found(struct vm *v, struct qmp *q, struct zone_emptying *a, struct err *e)
{
	_json_ json_t *status = NULL;
	int r = qmp_do(q, "query-status", NULL, ANSWER_MS, &status, e);
	const char *is = status_of(status);

	if (r < 0)
		return r;
	if (str_eq(is, "inmigrate"))
		return 2;
	/* what a full disk had stopped before it was written, and what has just been loaded, is told the rest first */
	if (str_eq(is, "io-error") && !saved_there(v->c, v->uuid))
		return let_go(q, e);
	if (!qmigrate_stands(is) && !str_eq(is, "io-error") && !str_eq(is, "prelaunch"))
		return 1;
	return release(v, q, a, !str_eq(is, "prelaunch"), e);
}

/* The stream is as hostile as what wrote it: nothing of the host is to be seen any more when it is read. */
static int take_over(struct vm *v, struct qmp *q, struct zone_emptying *a, struct err *e)
{
	int r = close_zone(v, a, e);

	/* one whose state comes later: who brings it sees to the rest */
	return r < 0 || v->incoming.fd < 0 ? r : machine_incoming(v, q, e);
}

/* The commonest reason of a monitor that can't have its memory, by our own numbers: its words are only shown. */
static int more_than_host(const json_t *rec, struct err *e)
{
	int64_t ram = vm_int(rec, "ram", 0), max = vm_int(rec, "max_ram", 0), host = sysconf(_SC_PHYS_PAGES) / ((1 << 20) / sysconf(_SC_PAGESIZE));

	if (ram <= host && max <= host)
		return -e->code;
	return err_hint(e, "Its %s is %lld MiB, and this host has %lld.", ram > host ? "ram" : "max_ram", (long long)(ram > host ? ram : max), (long long)host);
}

int machine_release(struct vm *v, struct err *e)
{
	_emptying_ struct zone_emptying a = ZONE_EMPTYING_INIT;
	_qmp_ struct qmp q = QMP_INIT;
	char words[MACHINE_WORDS];
	/* it has all it needs long before the monitor answers */
	int r = closer(v, &a, e);

	if (r == 0)
		r = machine_call(v, AWAIT_MS, &q, e);
	if (r == 0 && v->incoming.layout)
		r = take_over(v, &q, &a, e);
	if (r == 0)
		r = v->incoming.hold ? qmp_do(&q, "query-status", NULL, ANSWER_MS, NULL, e) : release(v, &q, &a, v->incoming.layout, e);
	if (r == -ESRCH || r == -EPIPE) {
		machine_words(v, words);
		if (v->incoming.layout)
			return err_set(e, ECHILD, "QEMU can not go on with the state of a machine of type %s: %s", vm_str(v->incoming.layout, "machine"), words);
		err_set(e, ECHILD, "QEMU ended at once: %s", words);
		return more_than_host(v->rec, e);
	}
	return r;
}

int machine_go_on(struct vm *v, struct err *e)
{
	_emptying_ struct zone_emptying a = ZONE_EMPTYING_INIT;
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e);

	if (r == 0)
		r = closer(v, &a, e);
	return r < 0 ? r : release_found(v, &q, &a, e);
}

static int tell(const struct vm *v, const char *command, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r = machine_call(v, ANSWER_MS, &q, e);

	return r < 0 ? r : qmp_do(&q, command, NULL, ANSWER_MS, NULL, e);
}

int machine_power_button(const struct vm *v, struct err *e)
{
	return tell(v, "system_powerdown", e);
}

int machine_reset(const struct vm *v, struct err *e)
{
	return tell(v, "system_reset", e);
}
