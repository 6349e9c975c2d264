/* SPDX-License-Identifier: MPL-2.0 */
#include "node/provision.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/pidfd.h"
#include "node/fw.h"
#include "node/vmops.h"
#include "node/vmstate.h"

static bool is_ready(const struct ctx *c, const char *uuid)
{
	_free_ char *path = xprintf("%s/%s/ready", c->node.run, uuid);

	return access(path, F_OK) == 0;
}

static int since(const struct vm_row *row, void *arg)
{
	*(int64_t *)arg = row->state_ns;
	return 0;
}

static int set_state(struct vm *v, const char *state, struct err *e)
{
	int r = state_vm_set_state(v->st, v->uuid, state, e);

	if (r < 0)
		return r;
	free(v->vmstate);
	v->vmstate = xstrdup(state);
	return 0;
}

static int tell_state(struct vm *v, const char *state, struct err *e)
{
	int r = set_state(v, state, e);

	if (r == 0)
		state_event(v->st, str_eq(state, "failed") ? "failed" : "provisioned", v->uuid, NULL, NULL);
	return r;
}

int provision_down(struct vm *v, bool for_good, struct err *e)
{
	if (!str_eq(v->vmstate, "provisioning"))
		return 0;
	if (is_ready(v->c, v->uuid))
		return tell_state(v, "installed", e);
	return for_good ? tell_state(v, "failed", e) : 0;
}

void provision_gone(struct vm *v)
{
	struct err e = ERR_INIT;

	if (str_eq(v->vmstate, "failed") && vmfw_change(v, v->rec, NULL, false, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s", v->uuid, e.msg);
}

int provision_settle(struct vm *v, struct err *e)
{
	int64_t from = 0;
	int r;

	if (!str_eq(v->vmstate, "provisioning"))
		return str_eq(v->vmstate, "failed") ? err_set(e, ECANCELED, "VM %s: its provisioning has failed", v->uuid) : 0;
	/* without a keeper nobody can hear what init says */
	if (is_ready(v->c, v->uuid) || (v->run.running && !v->run.keeper))
		return tell_state(v, "installed", e);
	r = state_vm_row(v->st, v->uuid, since, &from, e);
	if (r < 0)
		return r;
	if (v->run.running && (int64_t)clock_wall_ns() - from < VM_PROVISION_NS)
		return 1;
	r = set_state(v, "failed", e);
	if (r < 0)
		return r;
	if (!v->run.running) {
		err_set(e, ECHILD, "VM %s: its init ended before it was up", v->uuid);
	} else {
		err_set(e, ETIME, "VM %s: its init has not come up within %lld s", v->uuid, VM_PROVISION_NS / 1000000000);
		r = vm_halt_zone(v, NULL);
	}
	provision_gone(v);
	err_hint(e, "Its console log is %s/vms/%s/console.log; `vmadm delete` clears the VM away.", v->c->node.log, v->uuid);
	state_event(v->st, "failed", v->uuid, NULL, NULL);
	return r < 0 ? r : -e->code;
}

int vm_ready(struct ctx *c, const char *uuid, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	int r = vm_open(c, uuid, VM_LOCK | VM_WRITE, &v, e);

	return r < 0 ? r : provision_settle(&v, e);
}

/* Until something happens to the zone's run folder, its keeper or its init. */
static int something(struct ctx *c, const char *uuid, const struct zone_run *run, int ino, int64_t left, struct err *e)
{
	_fd_ int keeper = pidfd_of(run->keeper_pid, run->keeper_start, NULL);
	_fd_ int init = pidfd_of(run->init_pid, run->init_start, NULL);
	struct pollfd p[] = {
		{.fd = ino, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}, {.fd = keeper, .events = POLLIN}, {.fd = init, .events = POLLIN}};
	char events[4096];

	if (poll(p, ARRAY_LEN(p), left <= 0 ? 0 : (int)(left / 1000000) + 1) < 0 && errno != EINTR)
		return err_sys(e, errno, "wait for init");
	if (p[1].revents) {
		err_set(e, ECANCELED, "interrupted; VM %s goes on coming up", uuid);
		return -ECANCELED;
	}
	if (p[0].revents && read(ino, events, sizeof events) < 0 && errno != EAGAIN)
		return err_sys(e, errno, "inotify");
	return 0;
}

int provision_wait(struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *dir = xprintf("%s/%s", c->node.run, uuid);
	_fd_ int ino = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	uint64_t until = clock_mono_ns() + VM_PROVISION_NS;

	if (ino < 0)
		return err_sys(e, errno, "inotify");
	for (;;) {
		int64_t left = (int64_t)(until - clock_mono_ns());
		struct zone_run run;
		int r;

		/* first the watches, then the look: what happens in between is not missed */
		if (inotify_add_watch(ino, c->node.run, IN_CREATE | IN_MOVED_TO) < 0)
			return err_sys(e, errno, "watch %s", c->node.run);
		if (inotify_add_watch(ino, dir, IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0 && errno != ENOENT)
			return err_sys(e, errno, "watch %s", dir);
		r = zone_status(c, uuid, &run, e);
		if (r < 0)
			return r;
		if (is_ready(c, uuid) || !run.running || !run.keeper || left <= 0) {
			/* an init that is being started again is down for a moment: its lock is waited for, then it runs */
			r = vm_ready(c, uuid, e);
			if (r <= 0)
				return r;
		}
		r = something(c, uuid, &run, ino, left, e);
		if (r < 0)
			return r;
	}
}
