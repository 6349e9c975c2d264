/* SPDX-License-Identifier: MPL-2.0 */
/* File systems and devices of a running VM, from one record to another. Nothing for a VM that does not run. */
#ifndef CLOISTER_NODE_LIVE_H
#define CLOISTER_NODE_LIVE_H

#include "node/vm.h"

/* What can be known beforehand: sources that are not there, targets that are not to be touched while it runs. */
int live_check(struct vm *v, const json_t *from, const json_t *to, struct err *e);
int live_mounts(struct vm *v, const json_t *from, const json_t *to, struct err *e);
/* The same, from wherever a change that failed or was killed had got to. */
int live_mounts_undo(struct vm *v, const json_t *from, const json_t *to, struct err *e);
/* Nodes and the cgroup's list. Is its own undo. */
int live_devices(struct vm *v, const json_t *from, const json_t *to, struct err *e);

#endif
