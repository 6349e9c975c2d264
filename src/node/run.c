/* SPDX-License-Identifier: MPL-2.0 */
/* Booting and halting the zone of a VM: cgroups, limits, devices, spec, zoneadmd; and all of it away again. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/steps.h"
#include "hvm/qlayout.h"
#include "model/vm.h"
#include "node/io.h"
#include "node/machine.h"
#include "node/netconf.h"
#include "node/nics.h"
#include "node/seed.h"
#include "node/tables.h"
#include "node/usage.h"
#include "node/vm.h"
#include "node/vmops.h"
#include "zone/limits.h"

static int do_cgroup(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	bool made = zone_ahead_cgroups(&v->ahead);
	int r = 0;

	if (v->ahead.found) {
		v->cg = v->ahead.h;
		v->have_cg = true;
	} else if (!v->have_cg) {
		r = vm_find_cg(v, e);
	}
	if (r == 0 && !made) {
		r = node_home(c, &v->cg, e);
		if (r == 0)
			r = cg_node_make(&v->cg, e);
		if (r == 0)
			r = cg_zone_make(&v->cg, v->uuid, e);
	}
	if (r == 0)
		r = cg_zone_delegate(&v->cg, v->uuid, v->id_base, v->brand->init != BRAND_INIT_ZINIT && !brand_hvm(v->brand), e);
	if (r == 0)
		node_tables(c);
	if (r == 0)
		cg_host_keep(c, &v->cg);
	return r;
}

/* Everything that runs or could: also what a command killed half way through a boot left behind. */
static int undo_cgroup(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	zone_ahead_done(&v->ahead);
	if (vm_need_cg(v, e) < 0 || nics_down(c, v->uuid, e) < 0)
		return -e->code;
	return zone_teardown(c, &v->cg, v->uuid, e);
}

/*
 * A guest that has not given back yet what it was asked for goes on with it: until it has, the limit has room for it (update_held.c). How much it has is its
 * monitor's word, which may be its guest's: it keeps what its limit had at most.
 */
static json_t *with_kept(struct vm *v)
{
	static const char *const names[] = {"max_physical_memory", "max_swap"};
	json_t *rec = json_copy(v->rec);
	struct qlayout_size s;
	long long more;

	qlayout_size(v->incoming.layout, v->rec, &s);
	more = s.taken - s.asked < s.kept ? s.taken - s.asked : s.kept;
	for (size_t i = 0; i < ARRAY_LEN(names) && more > 0; i++)
		if (vm_int(rec, names[i], 0))
			json_object_set_new(rec, names[i], json_integer(vm_int(rec, names[i], 0) + more));
	return rec;
}

static int do_limits(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	_json_ json_t *rec = v->incoming.layout ? with_kept(v) : json_incref(v->rec);
	int r = limits_apply(c, &v->cg, rec, e);

	if (r == 0 && vm_str(v->rec, "dedicated_cpus"))
		r = cg_set_cpus(&v->cg, v->uuid, vm_str(v->rec, "dedicated_cpus"), e);
	return r;
}

static int do_devices(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	struct cg_dev *cg = NULL;
	struct zdev *dev = NULL;
	unsigned ndev = 0;
	size_t ncg;
	int r = vm_devices(v->rec, &cg, &ncg, &dev, &ndev, e);

	if (r == 0)
		r = cg_set_devices(&v->cg, v->uuid, cg, ncg, e);
	for (unsigned i = 0; i < ndev; i++)
		free(dev[i].name);
	free(dev);
	free(cg);
	return r;
}

static int do_spec(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	uint64_t restarts = v->spec->init_restarts;
	/*
	 * First: on v1 it makes the cgroup that init is to be born in. A ceiling that bursts begins as low as it gets: the worker
	 * opens it when it has taken the settings, and one that can't take them leaves a zone that is held.
	 */
	int r = io_bursts(v->rec) ? io_clamp(v, v->rec, e) : io_apply(v, v->rec, true, e);

	if (r < 0)
		return r;
	r = vm_spec(v, v->spec, e);

	v->spec->init_restarts = restarts;
	v->awaited = v->spec->notify;
	return r;
}

static int do_begin(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	return zone_begin(c, v->spec, &v->ahead, e);
}

static int net_up(void *arg, pid_t init, int go, struct err *e)
{
	return nics_up(arg, init, go, e);
}

static int do_zone(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;
	struct zone_net net = {net_up, v};

	int r = brand_hvm(v->brand) ? seed_put(v, e) : 0;

	if (r == 0)
		r = zone_boot(c, v->spec, &v->ahead, &net, &v->run, e);

	if (r == 0)
		resolvers_written(v);
	return r;
}

/* From boot-begin on zoneadmd makes the zone's namespaces beside us. Its init joins cgroups that the limits come to. */
static const struct step begin_steps[] = {
	{"boot-cgroup", do_cgroup, undo_cgroup},
	{"boot-spec", do_spec, NULL},
	{"boot-begin", do_begin, NULL},
	{"boot-limits", do_limits, NULL},
	{"boot-devices", do_devices, NULL},
};

static int do_machine(struct ctx *c, void *op, struct err *e)
{
	struct vm *v = op;

	return brand_hvm(v->brand) ? machine_release(v, e) : 0;
}

static const struct step zone_steps[] = {
	{"boot-zone", do_zone, undo_cgroup},
	{"boot-machine", do_machine, NULL},
};

static void spec_done(struct vm *v)
{
	if (v->spec)
		zspec_done(v->spec);
	free(v->spec);
	v->spec = NULL;
}

int vm_begin_zone(struct vm *v, uint64_t init_restarts, struct err *e)
{
	_free_ char *what = xprintf("begin %s", v->uuid);
	int r;

	if (!v->brand)
		return err_set(e, ENOTSUP, "VM %s: brand %s can not be booted yet", v->uuid, vm_str(v->rec, "brand") ?: "(none)");
	/* what an earlier life left: a killed boot, a keeper that died with its zone */
	if (v->run.init_pid || v->run.keeper_pid) {
		r = vm_halt_zone(v, e);
		if (r < 0)
			return r;
	}
	usage_vm_stopped(v);
	r = v->ahead.go >= 0 ? 0 : vm_find_cg(v, e);
	if (r < 0)
		return r;
	if (v->ahead.go < 0)
		zone_start_ahead(v->c, &v->cg, v->uuid, v->lock, false, &v->ahead);
	r = vm_need_store(v, e);
	if (r < 0)
		return r;
	spec_done(v);
	v->spec = xalloc(sizeof *v->spec);
	v->spec->init_restarts = init_restarts;
	r = steps_run(v->c, what, begin_steps, ARRAY_LEN(begin_steps), v, e);
	if (r < 0)
		spec_done(v);
	return r;
}

int vm_boot_zone(struct vm *v, uint64_t init_restarts, struct err *e)
{
	_free_ char *what = xprintf("boot %s", v->uuid);
	int r = v->spec ? 0 : vm_begin_zone(v, init_restarts, e);

	if (r == 0)
		r = steps_run(v->c, what, zone_steps, ARRAY_LEN(zone_steps), v, e);
	spec_done(v);
	return r;
}

int vm_logs_remove(struct vm *v, struct err *e)
{
	_free_ char *dir = xprintf("%s/vms/%s", v->c->node.log, v->uuid);

	return dir_remove(AT_FDCWD, dir, e);
}
