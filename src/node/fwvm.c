/* SPDX-License-Identifier: MPL-2.0 */
/* What a VM's life has to do with the firewall: its addresses in sets, from its record, and its list while it runs. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "model/vm.h"
#include "zone/droplog.h"
#include "net/log.h"
#include "node/fwset.h"
#include "node/later.h"
#include "zone/settings.h"

void vmfw_later(const struct ctx *c, bool low)
{
	pid_t pid;

	/* without them the next command waits itself */
	if (low && later(c, "fw-warm", NULL, NULL, &pid) < 0)
		ctx_log(c, LOG_DEBUG, "no process to keep lists of rules ready");
}

static int load_list(struct state *st, struct net_switch *s, const struct fw_vm *vm, uint32_t zone, bool first, struct err *e)
{
	struct fwlists l;
	int r;

	fwlists_init(&l, st);
	r = fwlists_add(&l, vm, zone, e);
	if (r == 0)
		r = first ? net_fw_first(s, l.list, e) : net_fw_load(s, l.list, l.n, e);
	fwlists_done(&l);
	return r < 0 ? err_add(e, "firewall") : 0;
}

static int list_of(struct state *st, struct net_switch *s, const json_t *rec, uint32_t zone, bool first, struct err *e)
{
	struct fw_vm vm;
	int r;

	fwobj_vm(rec, &vm);
	r = load_list(st, s, &vm, zone, first, e);
	fw_vm_done(&vm);
	return r;
}

static int sets_of(struct vm *v, const json_t *rec, struct fw_vm *vm, struct fwsets *out, struct err *e)
{
	int r = rec ? fwaddr_vm(v->st, rec, vm, e) : 0;

	return r == 0 && vm->naddrs ? fwsets_of(v->st, NULL, vm, out, e) : r;
}

/* In its sets it is since its record was made; one whose record came with a pool is not. */
static int join(struct vm *v, struct net_switch *s, struct err *e)
{
	struct fw_vm none = {.uuid = ""}, vm = {.uuid = ""};
	struct fwsets before = {NULL, 0}, now = {NULL, 0};
	int r = sets_of(v, v->rec, &vm, &now, e);

	if (r == 0)
		r = fwsync_member(v->st, s, &none, &before, &vm, &now, v->uuid, e);
	fwsets_done(&now);
	fw_vm_done(&vm);
	return r;
}

int vmfw_log(const struct ctx *c, struct net_switch *s, const char *uuid, uint32_t zone, struct err *e)
{
	_free_ char *path = xprintf("%s/%s/" DROPLOG_FILE, c->node.run, uuid);
	int r = net_log_note(s, zone, path, e);

	if (r > 0)
		settings_nudge(c, uuid);
	return r < 0 ? err_add(e, "log of drops") : 0;
}

int vmfw_doubt(const struct net_switch *s, struct err *e)
{
	return fwsync_begin(s, e);
}

int vmfw_up(struct vm *v, struct net_switch *s, struct err *e)
{
	int r = fwsync(v->c, v->st, s, e);

	if (r == 0)
		r = join(v, s, e);
	if (r == 0 && vm_bool(v->rec, "firewall_enabled", false))
		r = list_of(v->st, s, v->rec, (uint32_t)v->spec->zoneid, true, e);
	return r < 0 ? r : vmfw_log(v->c, s, v->uuid, (uint32_t)v->spec->zoneid, e);
}

int vmfw_start(struct vm *v, struct net_switch *s, struct err *e)
{
	int r = fwsync(v->c, v->st, s, e);

	if (r == 0)
		r = list_of(v->st, s, v->rec, (uint32_t)v->run.zoneid, false, e);
	return r < 0 ? r : vmfw_log(v->c, s, v->uuid, (uint32_t)v->run.zoneid, e);
}

static bool walled(const json_t *rec)
{
	return vm_bool(rec, "firewall_enabled", false) && json_array_size(json_object_get(rec, "nics"));
}

/* On, off, or other rules; fwadm stop stays in force until start, or the next boot. from NULL: nobody knows what was. */
static int relist(struct vm *v, struct net_switch *s, const json_t *from, const json_t *to, struct err *e)
{
	uint32_t zone = (uint32_t)v->run.zoneid;
	int on = net_fw_status(s, zone, e);

	if (on < 0)
		return on;
	if (!walled(to))
		return on ? net_fw_stop(s, zone, e) : 0;
	return on || !from || !walled(from) ? list_of(v->st, s, to, zone, false, e) : 0;
}

/* Its NICs' drops, into its log or not; the switch is there if it has NICs that run. */
static int logged(struct vm *v, struct net_switch *s, const json_t *to, struct err *e)
{
	uint32_t zone = (uint32_t)v->run.zoneid;
	bool on = vm_bool(to, "log_drops", false);
	int r = on ? net_log_on(s, &zone, 1, e) : 0;

	if (r == 0)
		r = net_log_ports(s, zone, on, e);
	return r;
}

static bool logs(const json_t *from, const json_t *to)
{
	return vm_bool(from, "log_drops", false) || vm_bool(to, "log_drops", false);
}

struct change {
	struct fw_vm a, b;
	struct fwsets before, now;
	bool thorough;
};

/* Which addresses it had nobody knows any more: sets and lists as the store has them. */
static int from_store(struct vm *v, struct net_switch *s, struct err *e)
{
	int r = fwsync_begin(s, e);

	return r < 0 ? r : fwsync(v->c, v->st, s, e);
}

static int switched(struct vm *v, const json_t *from, const json_t *to, const struct change *g, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	bool log = to && v->run.running && (logs(from, to) || g->thorough);
	bool lists = to && v->run.running && (walled(from) || walled(to) || (g->thorough && json_array_size(json_object_get(to, "nics"))));
	struct err miss = ERR_INIT;
	bool low;
	int r;

	/* most nodes have no rules, and a change of theirs needs no switch */
	if (g->before.n == 0 && g->now.n == 0 && !lists && !log)
		return 0;
	r = switch_open(v->c, false, &s, &miss);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (e)
			*e = miss;
		return r;
	}
	r = g->thorough && g->before.n ? from_store(v, &s, e) : fwsync(v->c, v->st, &s, e);
	if (r == 0 && !(g->thorough && g->before.n))
		r = fwsync_member(v->st, &s, &g->a, &g->before, &g->b, &g->now, v->uuid, e);
	if (r == 0 && log)
		r = logged(v, &s, to, e);
	if (r == 0 && lists)
		r = relist(v, &s, from, to, e);
	if (r == 0 && (log || lists))
		r = vmfw_log(v->c, &s, v->uuid, (uint32_t)v->run.zoneid, e);
	low = lists && net_fw_low(&s);
	switch_close(&s);
	vmfw_later(v->c, low);
	return r;
}

int vmfw_change(struct vm *v, const json_t *from, const json_t *to, bool thorough, struct err *e)
{
	struct change g = {.before = {NULL, 0}, .thorough = thorough};
	int r;

	if (!thorough && json_array_size(json_object_get(from, "nics")) == 0 && json_array_size(json_object_get(to, "nics")) == 0)
		return 0;
	r = sets_of(v, from, &g.a, &g.before, e);
	if (r == 0)
		r = sets_of(v, to, &g.b, &g.now, e);
	if (r == 0 && thorough)
		r = fwsets_load(v->st, &g.before, e);
	if (r == 0)
		r = switched(v, from, to, &g, e);
	fwsets_done(&g.before);
	fwsets_done(&g.now);
	fw_vm_done(&g.a);
	fw_vm_done(&g.b);
	return r < 0 ? err_add(e, "firewall") : 0;
}
