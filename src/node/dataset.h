/* SPDX-License-Identifier: MPL-2.0 */
/* What a VM has on the pool: zonepath, root dataset, snapshots, quota. Each function works from any half-made state. */
#ifndef CLOISTER_NODE_DATASET_H
#define CLOISTER_NODE_DATASET_H

#include "node/vm.h"

/* Zonepath, config/, cores/, root (from v->image, shared or private), quota. It counts as half made from the first. */
int dataset_make(struct vm *v, struct err *e);
/* Its record is there: it is whole. */
int dataset_made(struct vm *v, struct err *e);
bool dataset_half_made(const struct store *s, const char *uuid);
bool dataset_has_record(const struct store *s, const char *uuid);
/* All of it away. The zone must not run. */
int dataset_destroy(struct vm *v, struct err *e);
/*
 * For a VM that is not in the database: -EEXIST if its zonepath is there (see pool import). What a create left when the
 * machine went down, which no import would take, is cleared.
 */
int dataset_absent(struct vm *v, struct err *e);
/* Makes a root dataset called name ("<uuid>/root") from v->image. */
int dataset_make_root(struct vm *v, const char *name, struct err *e);
/* The limit of rec, with room for the disks of a record beside it. */
int dataset_quota(struct vm *v, const json_t *rec, const json_t *room, struct err *e);

#endif
