/* SPDX-License-Identifier: MPL-2.0 */
/* The node's own start and end: what systemd's unit runs, and what stands behind `cloister boot` and `shutdown`. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "net/vnic.h"
#include "node/dataset.h"
#include "node/fabric.h"
#include "node/fw.h"
#include "node/links.h"
#include "node/lock.h"
#include "node/migrate_in.h"
#include "node/router.h"
#include "node/uplink.h"
#include "node/usage.h"
#include "node/vm.h"
#include "node/vmops.h"

extern char **environ;

struct todo {
	char (*uuid)[37];
	size_t n;
};

static void todo_add(struct todo *t, const char *uuid)
{
	t->uuid = xrealloc(t->uuid, (t->n + 1) * sizeof *t->uuid);
	snprintf(t->uuid[t->n++], sizeof *t->uuid, "%s", uuid);
}

static int spawn_one(const struct ctx *c, const char *verb, const char *uuid, const char *more, pid_t *pid)
{
	char *argv[] = {(char *)c->self, (char *)"--node", (char *)c->node.name, (char *)verb, (char *)uuid, (char *)more, NULL};

	return -posix_spawn(pid, c->self, NULL, NULL, argv, environ);
}

/* One process a VM, a few at a time: a VM whose shutdown hangs holds nobody up. Returns how many failed. */
static int in_parallel(const struct ctx *c, const char *verb, const char *more, const struct todo *t, unsigned width)
{
	pid_t *pid = xalloc((width + 1) * sizeof *pid);
	unsigned running = 0;
	int failed = 0;

	for (size_t next = 0; next < t->n || running > 0;) {
		int status = 0;
		pid_t p;

		while (next < t->n && running < width) {
			int r = spawn_one(c, verb, t->uuid[next], more, &pid[running]);

			if (r < 0) {
				ctx_log(c, LOG_WARN, "%s VM %s: %s", verb, t->uuid[next], strerror(-r));
				failed++;
			} else {
				running++;
			}
			next++;
		}
		if (running == 0)
			break;
		p = waitpid(-1, &status, 0);
		if (p < 0 && errno == EINTR)
			continue;
		if (p < 0)
			break;
		for (unsigned i = 0; i < running; i++)
			if (pid[i] == p)
				pid[i] = pid[--running];
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			failed++;
	}
	free(pid);
	return failed;
}

static int find_autoboot(const struct vm_row *row, void *arg)
{
	if (row->autoboot && str_eq(row->state, "installed"))
		todo_add(arg, row->uuid);
	return 0;
}

static int find_provisioning(const struct vm_row *row, void *arg)
{
	if (str_eq(row->state, "provisioning"))
		todo_add(arg, row->uuid);
	return 0;
}

/*
 * A create that the machine's end cut off. Its last commit may be lost although all was done; then root and record
 * are on the pool. Otherwise it is failed, and `vmadm delete` takes it away.
 */
static int settle(struct ctx *c, struct state *st, const char *uuid, struct err *e)
{
	_free_ char *rec = xprintf("%s/%s/config/record.json", c->node.pool, uuid);
	_free_ char *root = xprintf("%s/%s/root", c->node.pool, uuid);
	_fd_ int lock = lock_try(c, uuid, e);

	if (lock < 0)
		return 0;
	if (access(rec, F_OK) == 0 && access(root, F_OK) == 0)
		return state_vm_set_state(st, uuid, "installed", e);
	ctx_log(c, LOG_WARN, "VM %s was being created when the machine went down: it is failed", uuid);
	state_event(st, "failed", uuid, NULL, NULL);
	return state_vm_set_state(st, uuid, "failed", e);
}

static int find_receiving(const struct vm_row *row, void *arg)
{
	if (str_eq(row->state, RECEIVE_STATE))
		todo_add(arg, row->uuid);
	return 0;
}

struct half {
	struct ctx *c;
	struct state *st;
	struct store *s;
};

/*
 * A zonepath that was being made when the machine went down. Its row may be lost (then nobody has been told of a VM, and
 * no import would take it: away with it), or the end of its making may be.
 */
static int settle_half(struct half *h, const char *uuid, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	int r;

	v.c = h->c;
	strcpy(v.uuid, uuid);
	v.lock = lock_try(h->c, uuid, e);
	if (v.lock < 0)
		return 0;
	r = state_vm_get(h->st, uuid, &v.rec, &v.vmstate, &v.id_base, e);
	if (r == 0)
		return !str_eq(v.vmstate, "installed") ? 0 : (r = vm_record_save(&v, e)) < 0 ? r : dataset_made(&v, e);
	if (r != -ENOENT)
		return r;
	if (dataset_has_record(h->s, uuid)) {
		ctx_log(h->c, LOG_WARN, "VM %s is not in the database: `cloister pool import` brings it back", uuid);
		return 0;
	}
	r = dataset_destroy(&v, e);
	if (r == 0)
		ctx_log(h->c, LOG_WARN, "VM %s was being created when the machine went down: cleared away", uuid);
	return r;
}

static int find_half(const char *uuid, void *arg)
{
	struct half *h = arg;
	struct err e = ERR_INIT;

	if (dataset_half_made(h->s, uuid) && settle_half(h, uuid, &e) < 0)
		ctx_log(h->c, LOG_WARN, "VM %s was not wholly made: %s", uuid, e.msg);
	return 0;
}

static int stale(const char *uuid, const struct zone_run *r, void *arg)
{
	if (!r->running)
		todo_add(arg, uuid);
	return 0;
}

static int running(const char *uuid, const struct zone_run *r, void *arg)
{
	if (r->running)
		todo_add(arg, uuid);
	return 0;
}

static void clear_stale(struct ctx *c)
{
	struct todo t = {0};
	struct cg_host cg;
	struct err e = ERR_INIT;

	if (zone_each(c, stale, &t, &e) == 0 && t.n && cg_host_find(c, &cg, &e) == 0) {
		for (size_t i = 0; i < t.n; i++) {
			_fd_ int lock = lock_try(c, t.uuid[i], NULL);

			if (lock >= 0 && zone_teardown(c, &cg, t.uuid[i], &e) < 0)
				ctx_log(c, LOG_WARN, "VM %s: %s", t.uuid[i], e.msg);
		}
	}
	free(t.uuid);
}

static int none_running(const char *uuid, const struct zone_run *r, void *arg)
{
	return r->running ? -EBUSY : 0;
}

/* A router that can't be made keeps no VM down that does not need it. */
static void net_back(struct ctx *c)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;

	if (state_open(c, STATE_READ, &st, &e) < 0 || router_sync(c, st, NULL, &e) < 0)
		ctx_log(c, LOG_WARN, "%s", e.msg);
	if (st)
		links_back(c, st);
}

/* An older program goes on with its ports; a switch that isn't there is made by who needs it, of the installed one. */
static void net_renew(struct ctx *c, struct state *st)
{
	struct err e = ERR_INIT;
	int r = switch_upgrade(c, false, &e);

	if (r > 0) /* its sets and lists are what the last program knew */
		r = fwaddr_moved(c, st, &e);
	if (r < 0 && r != -ENOENT)
		ctx_log(c, LOG_WARN, "%s%s%s", e.msg, e.hint[0] ? ". " : "", e.hint);
}

int node_boot(struct ctx *c, struct err *e)
{
	struct todo t = {0}, half = {0}, come = {0};
	struct store *store = NULL;
	struct state *st = NULL;
	int r = pool_attach(c, e);

	if (r < 0)
		return err_add(e, "attach the pool");
	r = state_open(c, STATE_WRITE, &st, e);
	if (r < 0)
		return r;
	clear_stale(c);
	net_renew(c, st);
	uplinks_up(c, NULL);
	fabrics_up(c, NULL);
	/* what was on its way here when the machine went down is as if its command had been killed */
	r = state_vm_each(st, 0, find_receiving, &come, e);
	for (size_t i = 0; r == 0 && i < come.n; i++)
		r = intent_set(c, come.uuid[i], RECEIVE_INTENT, e);
	if (r == 0)
		r = node_recover(c, e);
	if (r == 0)
		r = store_open(c, &store, e);
	if (r == 0)
		r = image_recover(c, st, store, e);
	if (r == 0 && zone_each(c, none_running, NULL, e) == 0)
		r = image_drop_old(store, e);
	if (r == 0)
		r = state_vm_each(st, 0, find_provisioning, &half, e);
	for (size_t i = 0; r == 0 && i < half.n; i++)
		r = settle(c, st, half.uuid[i], e);
	if (r == 0)
		r = pool_each_vm(store, find_half, &(struct half){c, st, store}, e);
	store_close(&store);
	if (r == 0)
		r = state_vm_each(st, 0, find_autoboot, &t, e);
	if (r == 0)
		state_event(st, "node-boot", NULL, NULL, NULL);
	if (r == 0)
		usage_fold(c, st, NULL); /* what can't be folded now is folded another time */
	state_close(&st);
	if (r == 0)
		net_back(c);
	if (r == 0) {
		int failed = in_parallel(c, "zone-boot", NULL, &t, (unsigned)get_nprocs() * 2);

		if (failed)
			r = err_set(e, EIO, "%d of %zu VMs could not be booted: the messages above say why", failed, t.n);
	}
	free(come.uuid);
	free(half.uuid);
	free(t.uuid);
	return r;
}

/* The switch has nobody left. Should somebody be there all the same, it stays, and says so. */
static void net_away(struct ctx *c)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;

	if (state_open(c, STATE_READ, &st, NULL) == 0)
		links_away(c, st);
	fabrics_down(c, NULL);
	uplinks_down(c, NULL);
	if (switch_open(c, false, &s, NULL) < 0)
		return;
	if (router_away(c, &s, &e) < 0 || vnic_sweep(&s, &e) < 0)
		ctx_log(c, LOG_WARN, "%s", e.msg);
	switch_close(&s);
	if (switch_remove(c, &e) < 0)
		ctx_log(c, LOG_WARN, "the switch stays: %s", e.msg);
}

#define SHUTDOWN_WIDTH 64
#define SHUTDOWN_S     180u /* all machines together, as one has it by itself */

int node_shutdown(struct ctx *c, struct err *e)
{
	struct todo t = {0};
	int r = zone_each(c, running, &t, e), failed;
	char seconds[24];

	if (r < 0)
		return r;
	/* systemd gives us 300 s (the units' TimeoutStopSec): machines whose guests don't listen to their power button share them */
	snprintf(seconds, sizeof seconds, "%zu", SHUTDOWN_S / ((t.n + SHUTDOWN_WIDTH - 1) / SHUTDOWN_WIDTH + !t.n));
	failed = in_parallel(c, "zone-halt", seconds, &t, SHUTDOWN_WIDTH);
	free(t.uuid);
	if (failed)
		return err_set(e, EIO, "%d VMs could not be stopped: the messages above say why", failed);
	net_away(c);
	r = pool_detach(c, e);
	return r < 0 ? err_add(e, "detach the pool") : 0;
}
