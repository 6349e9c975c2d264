/* SPDX-License-Identifier: MPL-2.0 */
/* Between the files of the pool's operations (pool.c, pool_import.c, pool_dev.c). */
#ifndef CLOISTER_STORE_POOL_H
#define CLOISTER_STORE_POOL_H

#include "store/ops.h"

/* One change of the pool at a time: a descriptor to hold while working. */
int pool_lock(struct ctx *c, struct err *e);
int pool_is_attached(struct ctx *c, const struct pool_conf *p, bool need_marker);
int pool_clear(struct ctx *c, struct pool_conf *p, struct err *e);
int pool_block_device(const char *path, struct err *e);

#endif
