/* SPDX-License-Identifier: MPL-2.0 */
/* The btrfs driver's pool half (btrfs_pool.c) for its table (btrfs_data.c). */
#ifndef CLOISTER_STORE_BTRFS_H
#define CLOISTER_STORE_BTRFS_H

#include "store/ops.h"

int pool_btrfs_format(struct ctx *c, struct pool_conf *p, bool force, struct err *e);
int pool_btrfs_mount(struct ctx *c, const struct pool_conf *p, struct err *e);
int pool_btrfs_setup(struct ctx *c, struct pool_conf *p, int fd, struct err *e);
int pool_btrfs_wipe(struct ctx *c, const struct pool_conf *p, struct err *e);
int pool_btrfs_check(int fd, const char *fsid);
int pool_btrfs_status(int fd, const struct pool_conf *p, struct pool_status *out, struct err *e);
unsigned pool_btrfs_caps(const struct pool_conf *p);

#endif
