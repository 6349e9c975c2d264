/* SPDX-License-Identifier: MPL-2.0 */
/* The btrfs driver's pool half (btrfs_pool.c) for its table (btrfs_data.c). */
#ifndef CLOISTER_STORE_BTRFS_H
#define CLOISTER_STORE_BTRFS_H

#include "base/buf.h"
#include "store/ops.h"

int pool_btrfs_format(struct ctx *c, struct pool_conf *p, bool force, struct err *e);
int pool_btrfs_mount(struct ctx *c, const struct pool_conf *p, struct err *e);
int pool_btrfs_setup(struct ctx *c, struct pool_conf *p, int fd, struct err *e);
int pool_btrfs_wipe(struct ctx *c, const struct pool_conf *p, struct err *e);
int pool_btrfs_check(int fd, const char *fsid);
int pool_btrfs_status(int fd, const struct pool_conf *p, struct pool_status *out, struct err *e);
unsigned pool_btrfs_caps(const struct pool_conf *p);
int pool_btrfs_find(struct ctx *c, struct pool_conf *p, struct err *e);
/* btrfs_devs.c */
int pool_btrfs_grow(struct ctx *c, struct pool_conf *p, int fd, uint64_t size, struct err *e);
int pool_btrfs_add(struct ctx *c, struct pool_conf *p, int fd, const char *dev, bool mirror, bool force, struct err *e);
int pool_btrfs_remove(struct ctx *c, struct pool_conf *p, int fd, const char *dev, struct err *e);
int pool_btrfs_replace(struct ctx *c, struct pool_conf *p, int fd, const char *old, const char *dev, bool force, struct err *e);
int pool_btrfs_scrub(struct ctx *c, int fd, struct pool_scrub *out, struct err *e);

/* Runs a program of the distribution's and waits; out gets its words. Returns its exit status, or a negative errno. */
int tool_run(const char *const *argv, struct buf *out, struct err *e);

#endif
