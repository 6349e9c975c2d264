/* SPDX-License-Identifier: MPL-2.0 */
/* What a VM has on the pool: zonepath, root dataset, snapshots, quota. Each function works from any half-made state. */
#ifndef CLOISTER_NODE_DATASET_H
#define CLOISTER_NODE_DATASET_H

#include "node/vm.h"

/* Zonepath, config/, cores/, quota, root (from v->image, shared or private). */
int dataset_make(struct vm *v, struct err *e);
/* All of it away. The zone must not run. */
int dataset_destroy(struct vm *v, struct err *e);
/* -EEXIST if the zonepath is there already (a VM that is not in the database: see pool import). */
int dataset_absent(struct vm *v, struct err *e);
/* Makes a root dataset called name ("<uuid>/root") from v->image. */
int dataset_make_root(struct vm *v, const char *name, struct err *e);
int dataset_quota(struct vm *v, struct err *e);

#endif
