/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disks of a machine: files in the VM's root dataset, so that one snapshot is of all of them at one moment, and quota and delete
 * are as for a zone. A disk made of an image shares its blocks (reflink) and needs it no more.
 */
#ifndef CLOISTER_NODE_DISKS_H
#define CLOISTER_NODE_DISKS_H

#include <jansson.h>

#include "node/vm.h"

/* Of a record that is new, made of payload: path and size of each; what can't be is refused. Images are looked up. */
int disks_fill(struct ctx *c, json_t *rec, const json_t *payload, struct err *e);
/* Where disk i is: ours on this node's pool, wherever the pool was when its record was written. The caller's. */
char *disk_path(const struct ctx *c, const json_t *rec, size_t i);
/* In dataset name, which is there and empty. */
int disks_make(struct vm *v, const char *name, struct err *e);
/* What they may grow to together, bytes: it comes on top of the VM's quota. */
uint64_t disks_bytes(const json_t *rec);
/* Images' locks, shared, so that none goes while a VM is made of it. */
#define DISKS_MAX 32
struct disks_held {
	int fd[DISKS_MAX];
	size_t n;
};
#define DISKS_HELD_INIT ((struct disks_held){.n = 0})
#define _held_          __attribute__((cleanup(disks_let_go)))
int disks_hold(const struct ctx *c, const json_t *rec, struct disks_held *h, struct err *e);
void disks_let_go(struct disks_held *h);

#endif
