/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a file of a snapshot differs from the same one of the snapshot before. Blocks that both have at one place of the pool are the same ones; what is
 * not there for certain is compared by what is in it. Both are read-only, and the pool may be moving them.
 */
#ifndef CLOISTER_NODE_SNAPDIFF_H
#define CLOISTER_NODE_SNAPDIFF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sum64.h"

#define SNAPDIFF_BLOCK 4096u
#define SNAPDIFF_PIECE (1u << 20)

struct snapdiff {
	/* What is to be written there, SNAPDIFF_PIECE bytes at most; n not a multiple of a block: up to the file's end. NULL: nothing is read, only counted. */
	int (*data)(void *arg, uint64_t at, const void *p, size_t n, struct err *e);
	int (*zero)(void *arg, uint64_t at, uint64_t n, struct err *e); /* n: whole blocks */
	int (*look)(void *arg, uint64_t bytes, struct err *e);          /* so many were compared; now and then: negative ends it */
	void *arg;
	uint64_t bytes;   /* that differ, or may: data as it is counted */
	struct sum64 sum; /* of where all of it lies: two passes with the same have seen the same places */
};
#define SNAPDIFF_INIT ((struct snapdiff){.sum = SUM64_INIT})

/* before: -1 = there is none. -EOPNOTSUPP: the file system does not say where files lie. */
int snapdiff_file(int now, int before, struct snapdiff *d, struct err *e);

#endif
