/* SPDX-License-Identifier: MPL-2.0 */
/* Limits and screen of what runs, after an update: in the kernel and in the worker, each in the order in which neither undoes the other. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "kern/slice.h"
#include "model/vm.h"
#include "node/io.h"
#include "node/live.h"
#include "node/machine.h"
#include "node/screen.h"
#include "node/settings.h"
#include "node/update_in.h"
#include "zone/limits.h"

bool update_touched(const struct update *u, const char *const *names)
{
	const json_t *n;
	size_t i;

	json_array_foreach(u->changed, i, n)
		for (const char *const *p = names; *p; p++)
			if (!strcmp(*p, json_string_value(n)))
				return true;
	return false;
}

/* What is above a limit that is to be, in whole MiB. */
static int64_t above(uint64_t now, int64_t want_mib)
{
	uint64_t want = (uint64_t)want_mib << 20;

	return now == UINT64_MAX || now <= want ? 0 : (int64_t)((now - want + (1 << 20) - 1) >> 20);
}

/*
 * With less than its guest has, a monitor would be killed: a limit that had to stay, because the guest did not give back what it got, goes down when it has.
 * What its monitor says of that may be its guest's word: it keeps what it has at most. One that says nothing keeps it too, unless it is these limits that
 * somebody wants to be others. NULL in *roomy: nothing stands in the way of the record's.
 */
static int with_room(const struct update *u, const json_t *to, json_t **roomy, struct err *e)
{
	static const char *const names[] = {"max_physical_memory", "max_swap", NULL};
	int64_t ram = vm_int(to, "ram", 0), has = ram, extra, most[2];
	struct err why = ERR_INIT;
	struct limits now;
	int r;

	if (!brand_hvm(u->v->brand) || !vm_int(to, names[0], 0) || limits_get(&u->v->cg, u->v->uuid, 0, &now, NULL) < 0)
		return 0;
	most[0] = above(now.memory, vm_int(to, names[0], 0));
	most[1] = above(now.memory_and_swap, vm_int(to, names[1], 0));
	if (!most[0])
		return 0;
	r = machine_memory(u->v, &has, &why);
	if (r < 0 && r != -ESRCH && to == u->rec && update_touched(u, names)) {
		err_set(e, EBUSY, "its monitor does not say how much memory its guest has: %s", why.msg);
		return err_hint(e, "A limit below that would end the machine. Try again, or stop it first.");
	}
	if (r < 0 && r != -ESRCH)
		ctx_log(u->v->c, LOG_WARN, "VM %s: the limit of its memory does not become less: %s", u->v->uuid, why.msg);
	extra = r == -ESRCH ? 0 : r < 0 ? most[0] : has - ram;
	if (extra <= 0)
		return 0;
	*roomy = json_copy((json_t *)to);
	for (size_t i = 0; names[i]; i++)
		if (vm_int(to, names[i], 0))
			json_object_set_new(*roomy, names[i], json_integer(vm_int(to, names[i], 0) + (extra < most[i] ? extra : most[i])));
	return 0;
}

/* What the worker watches it lets go of before the kernel's limit is written, and takes hold of after: it may be clamped. */
static int apply_limits(struct update *u, const json_t *to, struct err *e)
{
	static const char *const shares[] = {"cpu_shares", NULL};
	_json_ json_t *roomy = NULL;
	int r = with_room(u, to, &roomy, e);
	const json_t *rec = roomy ?: to;
	uint64_t n = (uint64_t)vm_int(rec, "cpu_shares", 100);
	bool watched = vm_int(rec, "cpu_baseline", 0) != 0;

	if (r == 0 && !watched)
		r = settings_live(u->v, rec, u->old, u->old, e); /* the I/O limits come after these, and are undone before */
	if (r == 0)
		r = limits_apply(u->v->c, &u->v->cg, rec, e);
	if (r == 0 && watched)
		r = settings_live(u->v, rec, u->old, u->old, e);
	/* logins to come first: none that begins meanwhile may bring the old one */
	if (r == 0 && update_touched(u, shares))
		r = zone_spec_slice(u->v->c, u->v->uuid, slice_of_shares(n), e);
	return r == 0 && update_touched(u, shares) ? limits_slice_live(u->v->c, &u->v->cg, u->v->uuid, n, e) : r;
}

static int apply_io(struct update *u, const json_t *rec, struct err *e)
{
	bool watched = io_bursts(rec);
	int r = watched ? 0 : settings_live(u->v, u->rec, rec, u->old, e);

	if (r == 0)
		r = io_apply(u->v, rec, false, e);
	return r == 0 && watched ? settings_live(u->v, u->rec, rec, u->old, e) : r;
}

static int apply_cpus(struct update *u, const json_t *rec, struct err *e)
{
	return cg_set_cpus(&u->v->cg, u->v->uuid, vm_str(rec, "dedicated_cpus"), e);
}

static int apply_screen(struct update *u, const json_t *rec, struct err *e)
{
	int r = screen_change(u->v, rec == u->rec ? u->old : u->rec, rec, e);

	if (r == 0 && (r = settings_live(u->v, u->rec, u->rec, rec, e)) < 0)
		r = screen_port_failed(u->v->c, rec, r, e);
	return r;
}

/* Limits that the cgroups of a running zone hold: the undo is the old record's. */
static const struct {
	int (*apply)(struct update *u, const json_t *rec, struct err *e);
	const char *const names[12];
} held[] = {
	[UPDATE_LIMITS] = {apply_limits, {"cpu_cap", "cpu_shares", "cpu_baseline", "cpu_burst_time", "max_physical_memory", "max_swap", "max_lwps", "ram",
					  "memory_reservation"}},
	[UPDATE_IO] = {apply_io, {"zfs_io_priority", "io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops", "io_read_bps_max",
				  "io_write_bps_max", "io_read_iops_max", "io_write_iops_max", "io_burst_time"}},
	[UPDATE_CPUS] = {apply_cpus, {"dedicated_cpus"}},
	[UPDATE_SCREEN] = {apply_screen, {"vnc_port", "vnc_password"}},
};

int update_hold(struct update *u, enum update_held what, const json_t *rec, struct err *e)
{
	int r;

	if (!u->v->run.running || !update_touched(u, held[what].names))
		return 0;
	r = vm_need_cg(u->v, e);
	return r < 0 ? r : held[what].apply(u, rec, e);
}
