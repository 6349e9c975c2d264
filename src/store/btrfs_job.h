/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What moves data blocks in the kernel for as long as it takes, so a child makes that call and this process watches:
 * progress, cancelling. A child whose parent was killed finishes its call; it holds the pool's lock until then.
 */
#ifndef CLOISTER_STORE_BTRFS_JOB_H
#define CLOISTER_STORE_BTRFS_JOB_H

#include "base/ctx.h"
#include "kern/btrfs.h"

struct pool_job {
	int fd;
	const char *what;
	int (*call)(struct pool_job *);                                   /* in the child */
	int (*progress)(struct pool_job *, uint64_t *done, uint64_t *total);
	int (*cancel)(int fd);                                       /* NULL: can't be stopped half way */
	uint64_t devid, base, total;                                 /* arguments, and for progress over several devices */
	const char *path;
	enum btrfs_profile profile;
	struct btrfs_scrub scrub; /* out */
};

/* 0 or the call's -errno without a message; -ECANCELED with one. */
int pool_job_run(struct ctx *c, struct pool_job *j, struct err *e);
int pool_job_balance(struct ctx *c, int fd, enum btrfs_profile p, struct err *e);

/* For call and progress. */
int pool_call_scrub(struct pool_job *j);
int pool_progress_scrub(struct pool_job *j, uint64_t *done, uint64_t *total);
int pool_call_replace(struct pool_job *j);
int pool_progress_replace(struct pool_job *j, uint64_t *done, uint64_t *total);
int pool_call_remove(struct pool_job *j);
int pool_progress_remove(struct pool_job *j, uint64_t *done, uint64_t *total);

#endif
