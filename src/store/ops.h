/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A driver is a constant table of operations; store.c picks it by the name in pool.conf and checks names, so that a
 * driver sees only clean relative ones. Private to src/store.
 */
#ifndef CLOISTER_STORE_OPS_H
#define CLOISTER_STORE_OPS_H

#include "store/pool_conf.h"
#include "store/store.h"

struct store {
	int fd; /* the pool's mount point */
	unsigned caps;
	const struct store_ops *ops;
	char fsid[40];
};

/* Where a dataset's name stands: its folder and the last component. */
struct store_at {
	int dirfd;
	char leaf[256];
};

struct store_ops {
	const char *name;

	/* -- pool: conf says on what; kind folder has been resolved by the caller -- */
	int (*format)(struct ctx *, struct pool_conf *, bool force, struct err *);
	int (*mount)(struct ctx *, const struct pool_conf *, struct err *); /* on node.pool; options of ours */
	int (*setup)(struct ctx *, struct pool_conf *, int fd, struct err *); /* right after the first mount: quotas */
	int (*wipe)(struct ctx *, const struct pool_conf *, struct err *);  /* after unmounting */
	int (*check)(int fd, const char *fsid);                              /* 1: fd is on that file system */
	int (*busy)(const char *fsid);                                       /* 1: somebody still has it mounted */
	int (*status)(int fd, const struct pool_conf *, struct pool_status *, struct err *);
	unsigned (*caps)(const struct pool_conf *);
	int (*find)(struct ctx *, struct pool_conf *, struct err *); /* import: fsid from p->dev, or dev from all there is */
	int (*grow)(struct ctx *, struct pool_conf *, int fd, uint64_t size, struct err *);
	int (*dev_add)(struct ctx *, struct pool_conf *, int fd, const char *dev, bool mirror, bool force, struct err *);
	int (*dev_remove)(struct ctx *, struct pool_conf *, int fd, const char *dev, struct err *);
	int (*dev_replace)(struct ctx *, struct pool_conf *, int fd, const char *old, const char *dev, bool force, struct err *);
	int (*scrub)(struct ctx *, int fd, struct pool_scrub *, struct err *);

	/* -- datasets; no messages, negative errno -- */
	int (*create)(struct store *, const struct store_at *, uint64_t quota);
	int (*snapshot)(struct store *, int src, const struct store_at *, bool ro, uint64_t quota);
	int (*destroy)(struct store *, int fd);
	int (*readonly)(struct store *, int fd, bool ro);
	int (*is_dataset)(struct store *, int dirfd, const char *leaf); /* 1, 0 */
	int (*created)(int fd, uint64_t *wall_ns);
	int (*set_created)(int fd, uint64_t wall_ns);
	int (*sync)(struct store *);
	int (*ident)(int fd, uint64_t *id);          /* a number that no other dataset will have */
	int (*gone)(struct store *, uint64_t id);    /* 1: deleted, and all its room given back; 0: not yet */

	/* -- quota -- */
	int (*quota_set)(struct store *, uint64_t id, uint64_t bytes, struct err *);
	int (*quota_get)(struct store *, uint64_t id, uint64_t *limit, uint64_t *used);
	int (*quota_drop)(struct store *, uint64_t id);
	int (*quota_join)(struct store *, int fd, uint64_t id); /* 1: recount */
	int (*quota_recount)(struct store *);
	int (*quota_leave)(struct store *, int fd, uint64_t keep); /* 1: recount */
	int (*quota_recover)(struct store *);
};

extern const struct store_ops store_btrfs;
const struct store_ops *store_driver(const char *name); /* NULL: unknown */

/* reserve.c: room that only a full pool may use. Both return 1 if they did something, 0 if not, or a negative errno. */
int reserve_make(const struct store *s);    /* when it is missing and there is room again */
int reserve_release(const struct store *s); /* gives it up and waits until the room can be used */
uint64_t reserve_size(int poolfd);

/* Folders of the pool that are the store's own. */
#define STORE_META ".cloister" /* pool.conf, reserve */
#define STORE_TMP  ".tmp"
/* Opens the folder of name below the pool, no links followed; make: missing folders are made, 0700. */
int store_at_open(const struct store *s, const char *name, bool make, struct store_at *at, struct err *e);
int store_dir_open(int dirfd, const char *path); /* no links, stays below; descriptor or negative errno */

#endif
