/* SPDX-License-Identifier: MPL-2.0 */
/* Stop, reboot, kill: a VM that runs is brought down, by its own shutdown or at once. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "kern/pidfd.h"
#include "model/vm.h"
#include "node/commit.h"
#include "node/lock.h"
#include "node/machine.h"
#include "node/migrate.h"
#include "node/outside.h"
#include "node/provision.h"
#include "node/rtc.h"
#include "node/saved.h"
#include "node/stop.h"
#include "node/vm.h"
#include "node/vmops.h"

#define STOP_OS_S     60
#define STOP_DOCKER_S 10
#define STOP_HVM_S    180
#define PRESS_MS      10000
#define ANSWER_MS     5000
#define KEEPER_MS     2000

static int ask_and_wait(struct vm *v, int sig, int seconds, struct err *e)
{
	int r = zone_signal(&v->run, sig, e);

	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	r = zone_wait(v->c, &v->run, seconds * 1000, e);
	if (r == -ETIME) {
		ctx_log(v->c, LOG_INFO, "VM %s did not end within %d s of signal %d: halting it", v->uuid, seconds, sig);
		return 0;
	}
	return r;
}

/* Milliseconds of them that are left, PRESS_MS at most. */
static int press_ms(uint64_t until)
{
	uint64_t now = clock_mono_ns(), left = now < until ? (until - now) / 1000000 : 0;

	return left < PRESS_MS ? (int)left : PRESS_MS;
}

/*
 * A guest that does not listen to its power button, or a monitor that does not to us, is halted after that time. It is pressed
 * again and again: a guest that is booting does not hear it, and one that is going down does not mind.
 */
static int press_and_wait(struct vm *v, int seconds, struct err *e)
{
	uint64_t until = clock_mono_ns() + (uint64_t)seconds * 1000000000;
	struct err we;
	int r;

	do {
		we = ERR_INIT;
		r = machine_power_button(v, &we);
		if (r == -ESRCH)
			return 0;
		/* a busy host, a slow disk, somebody else at its control socket: not yet a reason */
		if (r < 0 && r != -ETIME) {
			ctx_log(v->c, LOG_WARN, "VM %s: %s: halting it", v->uuid, we.msg);
			return 0;
		}
		r = r == 0 ? zone_wait(v->c, &v->run, press_ms(until), e) : ctx_check(v->c, e) < 0 ? -e->code : -ETIME;
	} while (r == -ETIME && press_ms(until) > 0);
	if (r != -ETIME)
		return r;
	ctx_log(v->c, LOG_INFO, "VM %s did not end within %d s of its power button: halting it", v->uuid, seconds);
	return 0;
}

/* As steps_run() has it, for what is no list of steps because nothing of it can be undone. Returns the time now. */
static uint64_t took(const struct vm *v, const char *what, const char *step, uint64_t since)
{
	uint64_t now = clock_mono_ns();

	ctx_log(v->c, LOG_DEBUG, "%s %s: %-16s %8.3f ms", what, v->uuid, step, (double)(now - since) / 1e6);
	return now;
}

static void done_in(const struct vm *v, const char *what, uint64_t since)
{
	ctx_log(v->c, LOG_INFO, "%s %s: done in %.3f ms", what, v->uuid, (double)(clock_mono_ns() - since) / 1e6);
}

int vm_take_down(struct vm *v, bool force, int timeout, bool reboot, struct err *e)
{
	uint64_t t = clock_mono_ns();
	int r = zone_mark_halting(v->c, v->uuid, true, e);

	if (r == 0 && !force && brand_hvm(v->brand))
		r = press_and_wait(v, timeout >= 0 ? timeout : STOP_HVM_S, e);
	else if (r == 0 && !force && vm_bool(v->rec, "docker", false))
		r = ask_and_wait(v, SIGTERM, timeout >= 0 ? timeout : STOP_DOCKER_S, e);
	else if (r == 0 && !force && v->brand)
		r = ask_and_wait(v, v->sig ?: reboot ? brand_reboot_signal(vm_init_kind(v)) : brand_halt_signal(vm_init_kind(v)), STOP_OS_S, e);
	if (r == 0) {
		_fd_ int keeper = pidfd_of(v->run.keeper_pid, v->run.keeper_start, NULL);
		struct zone_run now = {0};

		t = took(v, "halt", "halt-ask", t);
		/* it writes down how init ended, and ends; or the kill below is the end */
		if (keeper >= 0 && zone_status(v->c, v->uuid, &now, NULL) == 0 && !now.running)
			pidfd_wait(keeper, KEEPER_MS);
		t = took(v, "halt", "halt-end", t);
		r = vm_halt_zone(v, e);
		took(v, "halt", "halt-zone", t);
	} else {
		zone_mark_halting(v->c, v->uuid, false, NULL);
	}
	return r;
}

/* Stored while the zone goes down. */
static int autoboot_off(struct vm *v, struct commit *m, struct err *e)
{
	int r;

	if (!vm_bool(v->rec, "autoboot", false))
		return 0;
	r = state_begin(v->st, e);
	if (r < 0)
		return err_add(e, "autoboot");
	r = state_vm_set_autoboot(v->st, v->uuid, 0, e);
	if (r < 0)
		return state_end(v->st, r, e);
	json_object_set_new(v->rec, "autoboot", json_false());
	commit_start(m, v->st);
	return 0;
}

/* The record's copy in the pool comes last: what is dirty there, the end of the zone's file systems waits for. */
static int autoboot_stored(struct vm *v, struct commit *m, struct err *e)
{
	struct err we = ERR_INIT;
	int r;

	if (!m->st)
		return 0;
	r = commit_join(m, e);
	if (r < 0)
		return e ? err_add(e, "autoboot") : r;
	/* with its pool lost a VM must still stop; the database is the authority */
	if (vm_record_save(v, &we) < 0)
		ctx_log(v->c, LOG_WARN, "%s", we.msg);
	return 0;
}

/*
 * A zone that shall end at once, named by its uuid, is killed before the database is opened: the kernel and a thread of
 * ours take it apart while we read and store. Whatever is not as usual (no keeper, no database, an alias) takes the usual way. 1 = killed,
 * and v holds its lock; the database may still turn out to be damaged, then the VM is down all the same.
 */
static int kill_ahead(struct ctx *c, const char *word, struct vm *v, struct err *e)
{
	_free_ char *db = xprintf("%s/node.db", c->node.state), *zone = xprintf("%s/%s/zone", c->node.run, word);
	int r;

	if (!uuid_valid(word) || access(zone, F_OK) < 0 || access(db, F_OK) < 0)
		return 0;
	v->c = c;
	memcpy(v->uuid, word, sizeof v->uuid);
	r = v->lock = lock_take(c, v->uuid, e);
	if (r >= 0)
		r = zone_status(c, v->uuid, &v->run, e);
	if (r < 0)
		return r;
	if (!v->run.running || !v->run.keeper) {
		own_fd(&v->lock);
		return 0;
	}
	r = vm_need_cg(v, e);
	if (r == 0)
		r = zone_kill(c, &v->cg, v->uuid, &v->run, e);
	if (r == 0)
		r = failpoint("stop-killed", e);
	v->killed = r == 0;
	if (r == 0)
		vm_halt_start(v);
	return r < 0 ? err_add(e, "stop VM %s", v->uuid) : 1;
}

static int open_to_stop(struct ctx *c, const char *word, bool ahead, struct vm *v, struct err *e)
{
	int r = ahead ? kill_ahead(c, word, v, e) : 0;

	if (r == 0)
		return vm_open(c, word, VM_LOCK | VM_WRITE, v, e);
	if (r == 1)
		r = vm_open_held(v, e);
	return r < 0 && v->killed ? err_add(e, "VM %s was halted, but not all was done", v->uuid) : r;
}

/* The memory of one that is suspended. 1 = it was. */
static int give_up(struct vm *v, struct err *e)
{
	int r = saved_drop(v, e);

	if (r <= 0)
		return r;
	ctx_log(v->c, LOG_WARN, "VM %s: its memory is given up: its disks are as after a power cut", v->uuid);
	state_event(v->st, "discard-state", v->uuid, NULL, NULL);
	return 1;
}

int vm_stop(struct ctx *c, const char *word, bool force, int timeout, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	struct commit m = {0};
	uint64_t begin = clock_mono_ns();
	int rs, r = open_to_stop(c, word, force && timeout < 0, &v, e);

	if (r < 0)
		return r;
	if (timeout >= 0 && !vm_bool(v.rec, "docker", false) && v.brand && !brand_hvm(v.brand))
		return err_set(e, EINVAL, "-t is for docker and hardware VMs: an OS VM's own shutdown has %d s", STOP_OS_S);
	if (!v.run.running) {
		/* whatever a keeper or a killed command left of it */
		r = autoboot_off(&v, &m, e);
		if (r == 0)
			r = v.run.init_pid || v.run.keeper_pid || force ? vm_halt_zone(&v, e) : 0;
		if (r == 0 && force && brand_hvm(v.brand))
			r = give_up(&v, e);
		rs = autoboot_stored(&v, &m, r < 0 ? NULL : e);
		outside_leave(&v);
		return r < 0 ? r : rs < 0 ? rs : r == 0;
	}
	r = provision_down(&v, true, e);
	/* its image may have to be looked up, and the database is another thread's while that commits */
	if (r == 0 && !force && v.brand)
		v.sig = brand_halt_signal(vm_init_kind(&v));
	if (r == 0)
		r = autoboot_off(&v, &m, e);
	if (r == 0)
		r = v.killed ? vm_halt_zone(&v, e) : vm_take_down(&v, force, timeout, false, e);
	/* one that had not been let go, because its suspend or its resume was killed, has a state still */
	if (r == 0 && force && brand_hvm(v.brand) && (r = give_up(&v, e)) > 0)
		r = 0;
	rs = autoboot_stored(&v, &m, r < 0 ? NULL : e);
	r = r < 0 ? r : rs;
	if (!v.run.running)
		provision_gone(&v);
	if (r < 0)
		return err_add(e, "stop VM %s", v.uuid);
	outside_leave(&v);
	done_in(&v, "stop", begin);
	state_event(v.st, "stop", v.uuid, NULL, NULL);
	return 0;
}

/* A boot would be of its disks alone, and drop the memory that waits to be loaded. */
static int refuse_waiting(const struct vm *v, struct err *e)
{
	_qmp_ struct qmp q = QMP_INIT;
	int r;

	if (!brand_hvm(v->brand) || !saved_there(v->c, v->uuid))
		return 0;
	r = machine_call(v, ANSWER_MS, &q, e);
	if (r == 0)
		r = machine_has_run(v, &q, e);
	return r == 0 ? machine_cut_off(v, e) : r < 0 ? r : 0;
}

int vm_reboot(struct ctx *c, const char *word, bool force, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	uint64_t begin = clock_mono_ns();
	int r = vm_open(c, word, VM_LOCK | VM_WRITE, &v, e);

	if (r == 0)
		r = vm_migrate_refuse(&v, e);
	if (r < 0)
		return r;
	if (!v.run.running)
		return err_set(e, EINVAL, "VM %s is not running", v.uuid);
	r = refuse_waiting(&v, e);
	if (r == 0)
		r = provision_down(&v, false, e);
	/* one that has been changed since it was started is booted anew */
	if (r == 0 && force && brand_hvm(v.brand) && (r = machine_changed(&v, true, e)) == 0) {
		r = machine_reset(&v, e);
		/* one that had stopped (its disk was full, its command was killed) stands before its first instruction now */
		if (r == 0)
			r = machine_go_on(&v, e);
	} else if (r >= 0 && (!brand_hvm(v.brand) || (r = rtc_zone(v.rec, NULL, e)) == 0)) { /* a machine that can't come up is not taken down */
		r = vm_take_down(&v, force, -1, true, e);
		if (r == 0)
			r = vm_boot_zone(&v, 0, e);
	}
	if (r < 0)
		return err_add(e, "reboot VM %s", v.uuid);
	done_in(&v, "reboot", begin);
	state_event(v.st, "reboot", v.uuid, NULL, NULL);
	return 0;
}

int vm_kill(struct ctx *c, const char *word, int sig, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	int r = vm_open(c, word, VM_LOOK, &v, e);

	if (r < 0)
		return r;
	if (!v.run.running)
		return err_set(e, EINVAL, "VM %s is not running", v.uuid);
	r = zone_signal(&v.run, sig, e);
	return r < 0 ? err_add(e, "kill VM %s", v.uuid) : 0;
}
