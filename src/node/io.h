/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_IO_H
#define CLOISTER_NODE_IO_H

#include "base/buf.h"
#include "node/vm.h"

/*
 * io_* and zfs_io_priority on the zone's cgroup, for each device of the pool, read back; of a ceiling that bursts io_*_max, which
 * its worker takes down when it is spent. fresh: nothing was set before, so nothing is taken away. Cgroups found.
 */
int io_apply(struct vm *v, const json_t *rec, bool fresh, struct err *e);
/* The same with what it always has: nobody watches its bursts. */
int io_clamp(struct vm *v, const json_t *rec, struct err *e);
/* Whether there is anything for its worker to watch, and the lines that tell it (node/settings.h). */
bool io_bursts(const json_t *rec);
int io_settings(const struct vm *v, const json_t *rec, struct buf *out, struct err *e);
/* Whether they could be had; rec: a record, or the members of one that are asked for. */
int io_check(struct ctx *c, const struct cg_host *h, const json_t *rec, struct err *e);
/* Of a running zone: its ceilings as the kernel holds them, 0 = none, and what it has used; -errno, no message. */
int io_now(struct ctx *c, const struct cg_host *h, const char *uuid, uint64_t limit[CG_IO_CEILINGS], uint64_t used[CG_IO_CEILINGS]);

#endif
