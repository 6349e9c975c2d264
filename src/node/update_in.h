/* SPDX-License-Identifier: MPL-2.0 */
/* What the steps of an update have between them (update.c). */
#ifndef CLOISTER_NODE_UPDATE_IN_H
#define CLOISTER_NODE_UPDATE_IN_H

#include "node/vm.h"

struct update {
	struct vm *v;
	json_t *old;     /* borrowed */
	json_t *had;     /* owned: old with its leases, which storing what comes after takes away */
	json_t *rec;     /* owned: after */
	json_t *changed; /* owned: names */
	bool plugged; /* the machine could not be brought back to the disks it had: what it may still have stays */
	unsigned size_later; /* of ram and vcpus what waits for the next start (machine_resize) */
	bool locked_later; /* max_locked_memory could not be raised on what runs */
};

/* Whether one of these, ended by NULL, is among what changes. */
bool update_touched(const struct update *u, const char *const *names);

/* update_held.c: what the kernel, or a monitor, holds of a record of a zone that runs, as that record has it; nothing where none of it changes. */
enum update_held { UPDATE_LIMITS, UPDATE_IO, UPDATE_CPUS, UPDATE_SCREEN };
int update_hold(struct update *u, enum update_held what, const json_t *rec, struct err *e);

#endif
