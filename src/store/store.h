/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The store: datasets on the node's pool behind a table of operations. Drivers: btrfs (first), zfs later.
 *
 *	<pool>/                       mounted nosuid,nodev
 *	<pool>/<uuid>/                a VM's zonepath, directory, root:root 0700
 *	<pool>/<uuid>/root            its root dataset (subvolume). Private root: the file tree itself.
 *	                              Shared root: holds upper/ and work/ of the overlay
 *	<pool>/<uuid>/snap/<name>     its snapshots (read-only subvolumes)
 *	<pool>/<uuid>/config/         record.json; never visible inside
 *	<pool>/<uuid>/cores/
 *	<pool>/images/<uuid>          image dataset (read-only subvolume holding root/ = the tree, manifest.json)
 *	<pool>/images/.warm/<image>/  ready clones
 *	<pool>/.tmp/                  being made; cleared by store_recover()
 *
 * Dataset names here are relative to the pool ("<uuid>/root").
 */
#ifndef CLOISTER_STORE_STORE_H
#define CLOISTER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ctx.h"

struct store; /* an open pool: descriptor of the mount point, driver, filesystem id */

enum { /* capability word of a driver on this kernel and pool */
	STORE_SQUOTA = 1, STORE_QGROUP = 2, STORE_SEND = 4, STORE_MIRROR = 8, STORE_COMPRESS = 16, STORE_REFLINK = 32,
};

/* ---- pool (commands; store_pool_x in pool.c) ---- */
struct pool_spec {
	const char *file;         /* preallocated file, or NULL */
	uint64_t size;            /* of the file, bytes; 0 = default (20 GiB or a quarter of what is free, at least 2 GiB) */
	const char *const *devs;  /* block devices, or NULL */
	size_t ndevs;
	bool mirror;
	const char *mount;        /* an existing btrfs mount to use a folder of, or NULL */
	bool force;               /* devices: overwrite a file system that is on them */
	const char *quota;        /* "simple", "full"; NULL = simple where the kernel has them (6.7), else full */
};
int pool_create(struct ctx *c, const struct pool_spec *p, struct err *e);
/* Attach (loop, mount) if it is not: at boot and by any command that needs it. 0 if mounted already, 1 if it did it. */
int pool_attach(struct ctx *c, struct err *e);
int pool_detach(struct ctx *c, struct err *e);
/* Takes a pool that exists: dev names a file, devices, or a folder; none: the node's own backing, else all block devices
   are looked at. Writes pool.conf and attaches. The database is rebuilt by the caller (pool_each_record()). */
int pool_import(struct ctx *c, const char *const *dev, size_t ndevs, struct err *e);
/* Detaches and deletes everything. -EBUSY while anything uses it. The caller has asked. */
int pool_destroy(struct ctx *c, struct err *e);
/* To size bytes (file; 0: all the device has). */
int pool_grow(struct ctx *c, uint64_t size, struct err *e);
int pool_add(struct ctx *c, const char *dev, bool mirror, bool force, struct err *e);
int pool_remove(struct ctx *c, const char *dev, struct err *e);
int pool_replace(struct ctx *c, const char *old, const char *dev, bool force, struct err *e);
struct pool_scrub { uint64_t bytes, errors, corrected, uncorrectable; };
int pool_scrub(struct ctx *c, struct pool_scrub *out, struct err *e);
/* What pool create would take, without doing it: for `make plan`. */
int pool_default_size(const struct ctx *c, uint64_t *bytes, struct err *e);
struct pool_status {
	char driver[16], state[16]; /* "ONLINE", "DEGRADED", "MISSING", "FULL", "READONLY", "CREATING", "DESTROYING" */
	char backing[256];
	uint64_t size, used, reserve;
	unsigned caps, warn; /* warn: 0, 80, 90 or 95 */
	char fsid[40], kind[8], quota[8]; /* kind: "file", "devices", "folder" */
	struct pool_dev { char path[256]; uint64_t bytes, errors; bool missing; } dev[32];
	unsigned ndevs;
};
int pool_status(struct ctx *c, struct pool_status *out, struct err *e);

/* Every zonepath on the pool, whether or not a VM of that uuid is known. */
int pool_each_vm(struct store *s, int (*each)(const char *uuid, void *arg), void *arg, struct err *e);
/* Every <pool>/<uuid>/config/record.json, as bytes nobody has checked; json NULL: a VM without one. A negative return of
   each ends it and is returned. */
int pool_each_record(struct store *s, int (*each)(const char *uuid, const char *json, size_t n, void *arg), void *arg, struct err *e);

/*
 * For who writes a file of our own into the pool (a record) and meets ENOSPC: gives up the reserve. 1: try again; 0: it
 * is used up already.
 */
int store_make_room(struct store *s, struct err *e);

/* ---- datasets ---- */
/* -ENODEV with a hint when the pool is not there ("missing"). */
int store_open(struct ctx *c, struct store **out, struct err *e);
void store_close(struct store **s);
int store_fd(const struct store *s); /* of the pool's mount point, owned by s */
unsigned store_caps(const struct store *s);
/* Logs a warning when the pool is 80, 90 or 95 % full; returns that, or 0. For commands that write. */
unsigned store_warn(const struct ctx *c, const struct store *s);

/*
 * A name below .tmp that store_recover() clears once this process is gone. For what is made in private and then
 * renamed to its place; may become a dataset, a folder with datasets in it, or a file. Returns out. Names in .tmp that
 * are not from here are left to whoever made them.
 */
#define STORE_TMP_NAME 96
const char *store_tmp_name(const struct store *s, const char *what, char out[STORE_TMP_NAME]);

/*
 * Missing folders on the way are made (0700). A full pool gives up its reserve so that all of these still work.
 * Snapshots are on disk when the call returns; a created dataset and quotas after the next snapshot or store_sync().
 */
/* An empty dataset, owned by root, mode 0755. quota_id: the zone's level-1 group (store_quota_id()), 0 = none. */
int store_create(struct store *s, const char *name, uint64_t quota_id, struct err *e);
/* A writable (ro=false) or read-only snapshot of src as dst. */
int store_snapshot(struct store *s, const char *src, const char *dst, bool ro, uint64_t quota_id, struct err *e);
/* Deletes a dataset with all datasets nested in it; a missing one is fine (0). */
int store_destroy(struct store *s, const char *name, struct err *e);
/*
 * The same for what counts in the quota of a zone that may go on at once: where that is nearly used up, waits (seconds
 * at most) until it has the room back.
 */
int store_reclaim(struct store *s, const char *name, uint64_t quota_id, struct err *e);
/* Puts snapshot `snap` in place of `name` in one rename: name is exchanged, the old one destroyed. */
int store_rollback(struct store *s, const char *snap, const char *name, uint64_t quota_id, struct err *e);
int store_rename(struct store *s, const char *from, const char *to, struct err *e);
int store_readonly(struct store *s, const char *name, bool ro, struct err *e);
/* When it was made, elsewhere: what store_each() says of it. It must be writable. */
int store_set_created(struct store *s, const char *name, uint64_t wall_ns, struct err *e);
bool store_exists(struct store *s, const char *name);
int store_each(struct store *s, const char *dir, int (*each)(const char *name, uint64_t created_ns, void *arg), void *arg, struct err *e);

/* Quota: bytes over root, snapshots and nested datasets of one zone together; 0 = no limit. Read back after setting. */
uint64_t store_quota_id(const struct store *s, uint32_t id_base); /* stable per uid range */
int store_quota_set(struct store *s, uint64_t quota_id, uint64_t bytes, struct err *e);
int store_quota_get(struct store *s, uint64_t quota_id, uint64_t *limit, uint64_t *used, struct err *e);
/* Also takes what is still a member out of the group: the id starts from nothing when it is used again. */
int store_quota_drop(struct store *s, uint64_t quota_id, struct err *e);
/*
 * Makes a dataset that was made outside of any group (a warm clone, an imported VM's), and all nested in it, members.
 * 1: with full quotas the numbers are wrong until store_quota_recount(), which takes long; so clone directly there.
 */
int store_quota_recount(struct store *s, struct err *e);
int store_quota_join(struct store *s, const char *name, uint64_t quota_id, struct err *e);
/*
 * Takes a dataset, and all nested in it, out of all zones' groups but this one (0: of all), which were those of another
 * node or of a lost database. 1: as above.
 */
int store_quota_leave(struct store *s, const char *name, uint64_t keep, struct err *e);
int store_sync(struct store *s, struct err *e);

/* Clears what killed commands left: .tmp, deleted subvolumes' groups, groups without members. */
int store_recover(struct store *s, struct err *e);

#endif
