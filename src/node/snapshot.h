/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_SNAPSHOT_H
#define CLOISTER_NODE_SNAPSHOT_H

#include "node/vm.h"

/* /checkpoints/<name> of a running zone, read-only. */
int snapshot_show(struct vm *v, const char *name, struct err *e);
int snapshot_hide(struct vm *v, const char *name, struct err *e);
/* The same for all snapshots of a VM that is about to boot: appended to the spec. */
int snapshot_mounts(struct vm *v, struct zspec *z, struct err *e);
/* What a killed reprovision left: its exchange is finished, or its new root taken away. Store open, lock held. */
int vm_reprovision_finish(struct vm *v, struct err *e);

#endif
