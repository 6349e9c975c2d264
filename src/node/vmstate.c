/* SPDX-License-Identifier: MPL-2.0 */
#include "node/vmstate.h"

#include "base/str.h"

const char *vm_state_name(const char *stored, int64_t state_ns, uint64_t now_ns, const struct zone_run *run, bool pool_missing, bool suspended)
{
	/* without a keeper nobody hears what its init says; it runs, and the next operation stores that */
	if (str_eq(stored, "provisioning") && run && run->running && !run->keeper)
		return run->halting ? "stopping" : "running";
	if (str_eq(stored, "provisioning"))
		return (int64_t)now_ns - state_ns > VM_PROVISION_NS ? "failed" : "provisioning";
	/* failed stays failed, whatever is left of it: only delete and stop -F are for it */
	if (!str_eq(stored, "installed"))
		return stored;
	if (run && (run->running || run->keeper)) {
		if (run->halting)
			return "stopping";
		if (run->running)
			return "running";
		return run->ended == ZONE_END_NONE ? "ready" : "shutting_down";
	}
	return pool_missing ? "missing" : suspended ? "suspended" : "stopped";
}

const char *vm_zone_state_name(const char *stored, const struct zone_run *run)
{
	if (run && run->running)
		return run->halting ? "shutting_down" : "running";
	if (run && run->keeper)
		return run->ended == ZONE_END_NONE && !run->halting ? "ready" : "shutting_down";
	if (str_eq(stored, "configured") || str_eq(stored, "incomplete"))
		return stored;
	return str_eq(stored, "provisioning") ? "incomplete" : "installed";
}
