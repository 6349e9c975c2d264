/* SPDX-License-Identifier: MPL-2.0 */
/* The state of a VM as it shows: what the database has stored, and what the kernel says runs. Pure. */
#ifndef CLOISTER_NODE_VMSTATE_H
#define CLOISTER_NODE_VMSTATE_H

#include "zone/zone.h"

#define VM_PROVISION_NS (300 * 1000000000LL) /* provisioning that takes longer has failed */

/*
 * stored: "installed", "provisioning", "failed", … since state_ns (wall time); now_ns: wall time; run: NULL = nothing
 * is known to run. suspended: a machine that has its memory on disk, which shows while it does not run. pool_missing: its data can't be reached, which shows as "missing" while it does not run.
 * The result is a constant, or stored itself for a state that only the database knows ("configured").
 */
const char *vm_state_name(const char *stored, int64_t state_ns, uint64_t now_ns, const struct zone_run *run, bool pool_missing, bool suspended);
/* The zone's own state, as zoneadm has it: configured, incomplete, installed, ready, running, shutting_down. */
const char *vm_zone_state_name(const char *stored, const struct zone_run *run);

#endif
