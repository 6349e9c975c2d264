/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A zone that ended by itself: its keeper calls this once init is gone and no command has marked the zone as halting.
 * A reboot(2) inside boots it again as `vmadm reboot` would; a power-off stops it for good (autoboot false); an init
 * that died is started again, unless restart_init is off or it was a docker image's entrypoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/outside.h"
#include "node/provision.h"
#include "node/vm.h"
#include "node/vmops.h"

#define LOOP    5 /* restarts in a row that are a loop; told of again at each multiple */
#define LOOP_NS 60000000000ULL

static uint64_t restarts_so_far(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/%s/spec", c->node.run, uuid);
	_buf_ struct buf b = BUF_INIT;
	struct zspec z = {0};
	uint64_t n = 0;

	if (file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0 && zspec_parse(buf_str(&b), b.len, &z, NULL) == 0)
		n = z.init_restarts;
	zspec_done(&z);
	return n;
}

/* How init ended, for the event that tells of what follows. */
static json_t *how(const struct zone_run *r)
{
	static const char *const word[] = {[ZONE_END_EXIT] = "exit", [ZONE_END_SIGNAL] = "signal", [ZONE_END_REBOOT] = "reboot",
					   [ZONE_END_HALT] = "halt", [ZONE_END_UNKNOWN] = "unknown"};
	json_t *d = json_pack("{s:s}", "init", word[r->ended]);
	char when[CLOCK_TEXT];

	if (d && r->ended == ZONE_END_EXIT)
		json_object_set_new(d, "exit_status", json_integer(r->end_status));
	if (d && r->ended == ZONE_END_SIGNAL)
		json_object_set_new(d, "signal", json_integer(r->end_status));
	if (d && r->end_ns)
		json_object_set_new(d, "ended", json_string(clock_iso(r->end_ns, when)));
	return d;
}

static int boot_again(struct vm *v, uint64_t restarts, const char *event, struct err *e)
{
	_json_ json_t *d = how(&v->run);
	bool soon = v->run.boot_ns && v->run.end_ns > v->run.boot_ns && v->run.end_ns - v->run.boot_ns < LOOP_NS;
	int r = vm_halt_zone(v, e);

	if (r == 0)
		r = vm_boot_zone(v, restarts, e);
	if (restarts)
		json_object_set_new(d, "restarts", json_integer((json_int_t)restarts));
	if (r < 0)
		json_object_set_new(d, "error", json_string(e->msg));
	/* who listens must not take the silence for a zone that runs */
	state_event(v->st, r == 0 ? event : "boot-failed", v->uuid, d, NULL);
	if (r == 0 && soon && restarts >= LOOP && restarts % LOOP == 0)
		state_event(v->st, "restart-loop", v->uuid, d, NULL);
	return r;
}

/* Whatever can't be stored, it is taken down: the database is the authority, and a pool that is full or lost holds no zone up. */
static int stay_down(struct vm *v, bool forget_autoboot, struct err *e)
{
	_json_ json_t *d = how(&v->run);
	struct err we = ERR_INIT;
	int r, rs = 0;

	/* before the state says stopped: who waits for that sees how it is to stay */
	if (forget_autoboot) {
		rs = state_vm_set_autoboot(v->st, v->uuid, 0, e);
		if (rs > 0) {
			json_object_set_new(v->rec, "autoboot", json_false());
			if (vm_record_save(v, &we) < 0)
				ctx_log(v->c, LOG_WARN, "%s", we.msg);
		}
	}
	r = vm_halt_zone(v, rs < 0 ? NULL : e);
	if (r >= 0)
		outside_leave(v);
	if (r >= 0)
		state_event(v->st, "stop", v->uuid, d, NULL);
	return rs < 0 ? rs : r < 0 ? r : 0;
}

/* In the words that its worker has written down; where it could not, a monitor that is done counts. */
static bool switched_off(const struct vm *v)
{
	_free_ char *path = xprintf("%s/%s/shutdown", v->c->node.run, v->uuid);
	_buf_ struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 64, &b, NULL) < 0 || str_starts(buf_str(&b), "guest-");
}

static int what_follows(struct vm *v, uint64_t restarts, struct err *e)
{
	switch (v->run.ended) {
	case ZONE_END_REBOOT:
		return boot_again(v, 0, "reboot", e);
	case ZONE_END_HALT:
		return stay_down(v, true, e);
	default:
		break;
	}
	/* a monitor that is done has a guest that was switched off, unless a signal asked it to end; one that crashed is to be seen, not tried again */
	if (brand_hvm(v->brand))
		return stay_down(v, v->run.ended == ZONE_END_EXIT && v->run.end_status == 0 && switched_off(v), e);
	if (vm_restart_init(v->rec))
		return boot_again(v, restarts + 1, "restart-init", e);
	return stay_down(v, false, e);
}

int vm_ended(struct ctx *c, const char *uuid, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	uint64_t restarts = restarts_so_far(c, uuid);
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	if (r < 0)
		return r;
	/* somebody was quicker: stopped, deleted or booted it again while we waited for the lock */
	if (v.run.running || v.run.halting || v.run.ended == ZONE_END_NONE)
		return 0;
	r = provision_down(&v, brand_hvm(v.brand) || v.run.ended == ZONE_END_HALT || (v.run.ended != ZONE_END_REBOOT && !vm_restart_init(v.rec)), e);
	if (r < 0)
		return r;
	r = what_follows(&v, restarts, e);
	if (!v.run.running)
		provision_gone(&v);
	return r;
}
