/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A limit that this host can't hold is refused when it is asked for, and not when the zone boots, weeks later. What was stored
 * elsewhere (a pool that came from another host) is still told by the boot.
 */
#include "base/own.h"
#include "kern/cgroup.h"
#include "model/vm.h"
#include "node/hold.h"
#include "node/io.h"
#include "zone/limits.h"

static int shares(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	return cg_can_shares(h, (uint64_t)vm_int(want, "cpu_shares", 100), e);
}

static int cap(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	return cg_can(h, CG_CPU, json_object_get(want, "cpu_cap") ? "cpu_cap" : "cpu_baseline", e);
}

static int memory(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	return cg_can_memory(h, json_object_get(want, "max_swap") != NULL, e);
}

static int lwps(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	return cg_can(h, CG_PIDS, "max_lwps", e);
}

static int reservation(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	int r = limits_can_reserve(h, want, e);

	return r < 0 ? r : 0;
}

static int cpus(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e)
{
	return cg_can_cpus(h, vm_str(want, "dedicated_cpus"), e);
}

static const struct {
	int (*check)(struct ctx *c, const struct cg_host *h, const json_t *want, struct err *e);
	const char *const names[6]; /* any of them is asked */
} rows[] = {
	{shares, {"cpu_shares"}},
	{cap, {"cpu_cap", "cpu_baseline"}},
	{memory, {"max_physical_memory", "max_swap"}},
	{lwps, {"max_lwps"}},
	{reservation, {"memory_reservation"}},
	{cpus, {"dedicated_cpus"}},
	{io_check, {"zfs_io_priority", "io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops"}},
};

static bool any(const json_t *want, const char *const *names)
{
	for (; *names; names++)
		if (json_object_get(want, *names))
			return true;
	return false;
}

int hold_check(struct ctx *c, const json_t *want, struct err *e)
{
	struct cg_host h;
	bool found = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
		if (!any(want, rows[i].names))
			continue;
		r = found ? 0 : cg_host_known(c, &h, e);
		found = true;
		if (r == 0)
			r = rows[i].check(c, &h, want, e);
	}
	return r;
}

int hold_check_changed(struct ctx *c, const json_t *rec, const json_t *changed, struct err *e)
{
	_json_ json_t *want = json_object();
	const json_t *n;
	size_t i;

	json_object_set(want, "brand", json_object_get(rec, "brand"));
	json_array_foreach(changed, i, n)
		if (json_object_get(rec, json_string_value(n)))
			json_object_set(want, json_string_value(n), json_object_get(rec, json_string_value(n)));
	return hold_check(c, want, e);
}
