/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disks of a machine: files in the VM's root dataset, so that one snapshot is of all of them at one moment, and quota and delete
 * are as for a zone. A disk made of an image shares its blocks and needs it no more.
 */
#ifndef CLOISTER_NODE_DISKS_H
#define CLOISTER_NODE_DISKS_H

#include <jansson.h>
#include <stdbool.h>

#include "hvm/qmp.h"
#include "node/vm.h"

/*
 * From the from'th on, of what was given for these: path and size of each; what can't be is refused. Images are looked up. taken:
 * numbers of disks that are not free, QDISK_NUMBERS of them.
 */
int disks_fill(struct ctx *c, json_t *rec, size_t from, const json_t *given, bool *taken, struct err *e);
/* The payload with what the image of its first disk asks for (disk_driver, nic_driver, cpu_type) where it says nothing. New reference. */
json_t *disks_drivers(struct ctx *c, const json_t *payload);
/* Where a disk is: ours on this node's pool, wherever the pool was when its record was written. The caller's. */
char *disk_path(const struct ctx *c, const json_t *rec, const json_t *disk);
/* With the dataset name, which is not there. */
int disks_make(struct vm *v, const char *name, uint64_t quota_id, struct err *e);
/* One, in the folder dir. */
int disk_make(struct vm *v, int dir, const json_t *disk, struct err *e);
/* How large they are together, bytes. */
uint64_t disks_bytes(const json_t *rec);
/* What lies in their files now, bytes; v->store is there. */
uint64_t disks_used(const struct vm *v);
/*
 * What they may take of the pool, which comes on top of the VM's quota: more than they are large, as a piece of a file (an extent) is held whole
 * while one block of it is in use (docs/decisions/disk-room.md).
 */
#define DISKS_TIMES 4
/* Images' locks, shared, so that none goes while a VM is made of it. */
#define DISKS_MAX 32
struct disks_held {
	int fd[DISKS_MAX];
	size_t n;
};
#define DISKS_HELD_INIT ((struct disks_held){.n = 0})
#define _held_          __attribute__((cleanup(disks_let_go)))
int disks_hold(const struct ctx *c, const json_t *disks, struct disks_held *h, struct err *e);
void disks_let_go(struct disks_held *h);

/* ---- disks_change.c: of a VM that is there ---- */
/* What an update makes of them, rec: new ones are filled in, what can't be is refused. payload: as it was given. */
int disks_check(struct vm *v, const json_t *old, json_t *rec, const json_t *payload, struct err *e);
/* A file or block device of the host's, by its own name: no link. what: begins the message. */
int disk_of_host(const char *path, const char *what, struct err *e);
/* A disk that another VM has, to be written to by both: -EBUSY with its name. Looks at the others only where rec names a file of the host. */
int disks_alone(struct ctx *c, struct state *st, const json_t *rec, struct err *e);
/* Files of those that `to` has and `from` doesn't, and room for those that are larger in it. */
int disks_prepare(struct vm *v, const json_t *from, const json_t *to, struct err *e);
/* Files as rec has them: others away, none smaller; shrink: none larger either. What is missing stays missing. */
int disks_settle(struct vm *v, const json_t *rec, bool shrink, struct err *e);
/* Whether a snapshot (its dataset) can take the place of what rec's disks are: -EINVAL says which of them it has not. */
int disks_suit(struct vm *v, const char *snap, struct err *e);

/* ---- disks_live.c: of a machine that runs ---- */
/* What a guest has to let go of a disk. Linux takes five seconds of it, in which a button that is pressed again would take it back. */
#define DISKS_LET_GO_MS 30000
/*
 * What it has that is not as `to` says is removed (which its guest has to agree to), added or made larger. -EINPROGRESS: the guest
 * does not let go of one, of which the file must stay; ms 0: it is asked to, nobody waits, and the rest is done. -ETIME: its monitor does not answer.
 */
int disks_live(struct vm *v, const json_t *to, int ms, struct err *e);
/* What it has, by the names that QEMU has for them, among others. New reference; empty: it has ended. -ETIME. */
int disks_live_names(struct vm *v, json_t **names, struct err *e);
/* What `now` had set aside for its disks beyond what `old` has is given back, while the guest stands for a moment. */
int disks_unreserve(struct vm *v, const json_t *old, const json_t *now, struct err *e);

/* ---- disk_file.c ---- */
/* What its record asks of its file, and can't be had. */
int disk_file_check(const json_t *rec, const json_t *disk, struct err *e);
/* As its record says: compression, and room that is set aside; less: what is beyond that is given back, unless the machine runs, or nothing can be. dir: where it lies. */
int disk_file_settle(const struct vm *v, int fd, int dir, const json_t *disk, bool less, struct err *e);
/* Its compression alone. */
int disk_file_compress(int fd, int dir, const json_t *disk, struct err *e);
/* What is set aside beyond what its record says. Nobody may be writing to it. */
int disk_file_give_back(int fd, const json_t *disk, struct err *e);

/* ---- disks_tune.c ---- */
/* Ceilings as rec says, read back, and requests counted by how long they take. until: CLOCK_MONOTONIC in ns. */
int disks_tune(struct qmp *q, const json_t *rec, uint64_t until, struct err *e);

#endif
