/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_IO_H
#define CLOISTER_NODE_IO_H

#include "node/vm.h"

/*
 * io_* and zfs_io_priority on the zone's cgroup, for each device of the pool, read back. fresh: nothing was set before, so
 * nothing is taken away. Cgroups found.
 */
int io_apply(struct vm *v, const json_t *rec, bool fresh, struct err *e);
/* Whether they could be had; rec: a record, or the members of one that are asked for. */
int io_check(struct ctx *c, const struct cg_host *h, const json_t *rec, struct err *e);

#endif
