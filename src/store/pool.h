/* SPDX-License-Identifier: MPL-2.0 */
/* Between the files of the pool's operations (pool.c, pool_create.c, pool_plan.c, pool_dev.c). */
#ifndef CLOISTER_STORE_POOL_H
#define CLOISTER_STORE_POOL_H

#include "store/ops.h"

/* One change of the pool at a time: a descriptor to hold while working. */
int pool_lock(struct ctx *c, struct err *e);
int pool_is_attached(struct ctx *c, const struct pool_conf *p, bool need_marker);
/* Mounts it, unmounts it; the caller holds the lock. */
int pool_attach_now(struct ctx *c, const struct pool_conf *p, struct err *e);
int pool_detach_now(struct ctx *c, const struct pool_conf *p, struct err *e);
/* What a killed create or destroy left. */
int pool_clear(struct ctx *c, struct pool_conf *p, struct err *e);
int pool_block_device(const char *path, struct err *e);

struct pool_create {
	struct pool_conf p;
	const struct store_ops *ops;
	bool force, made; /* made: the file or folder is ours */
	int fd;
};
/* Fills k from what was asked for; nothing is made. */
int pool_plan(struct pool_create *k, struct ctx *c, const struct pool_spec *sp, struct err *e);

#endif
