/* SPDX-License-Identifier: MPL-2.0 */
/* The caller's side of cloister-unpack (src/unpack/unpack.h says what it does and refuses). */
#ifndef CLOISTER_IMAGE_UNPACK_H
#define CLOISTER_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"

struct unpack_job {
	const char *what;  /* for progress and messages: the file's name */
	int in;            /* read from where it stands */
	int root;          /* folder that becomes the tree; -1: only hash */
	bool disk;         /* root is the file that becomes a machine's disk */
	bool layer;        /* OCI layer on top of what root holds */
	const char *sha256, *sha1, *diff; /* wanted digests in hex, NULL = any */
	int64_t size;      /* wanted, -1 = any */
	uint64_t total;    /* for progress, 0 = not known */
	uint64_t max_bytes, max_entries; /* 0 = default */
};
struct unpack_done {
	uint64_t entries, bytes, size;
	char sha256[65];
};
int unpack_run(struct ctx *c, const struct unpack_job *j, struct unpack_done *out, struct err *e);

#endif
