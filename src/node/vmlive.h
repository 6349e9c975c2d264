/* SPDX-License-Identifier: MPL-2.0 */
/* Run time facts of a VM as the object that vm_output() merges over the record. */
#ifndef CLOISTER_NODE_VMLIVE_H
#define CLOISTER_NODE_VMLIVE_H

#include <jansson.h>

#include "state/state.h"
#include "store/store.h"
#include "zone/zone.h"

/* What costs a file or more for each VM; the rest is always there. */
enum { LIVE_EXIT = 1, LIVE_RESTARTS = 2, LIVE_SNAPSHOTS = 4, LIVE_MISSING = 8, LIVE_STATUS = 16, LIVE_ALL = 31 };

struct vm_facts {
	const struct vm_row *row;
	const struct zone_run *run; /* NULL = does not run */
	uint64_t now_ns;            /* wall time */
	struct store *store;        /* NULL = the pool is not there */
	const char *server_uuid;    /* may be NULL */
};

/*
 * state, zone_state, hvm, zonepath, server_uuid; pid, zoneid, boot_timestamp of a running VM; transition_to and
 * transition_expire of one that is being provisioned; and of `parts`: exit_status and exit_timestamp, init_restarts and accelerator_used,
 * snapshots, missing, machine_status. What does not apply is absent. A part that can't be read is left out and logged as a warning.
 * New reference.
 */
json_t *vm_live_of_row(struct ctx *c, const struct vm_facts *f, unsigned parts);
/* The same for one VM by its uuid, gathering the facts. run: as the caller has it already, or NULL to look. -ENOENT. */
int vm_live(struct ctx *c, struct state *st, const char *uuid, const struct zone_run *run, unsigned parts, json_t **out,
	    struct err *e);

#endif
