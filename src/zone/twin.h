/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a worker keeps for the next one: a mapped file of two records, of which `turn` (its lowest bit) is the good one while the
 * other is written. So it is right whenever the worker dies, and costs nothing to keep. Libc only.
 */
#ifndef CLOISTER_ZONE_TWIN_H
#define CLOISTER_ZONE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

struct twin {
	uint32_t magic, size; /* of a record */
	uint64_t turn;        /* the two records are behind it */
};

void twin_put(struct twin *t, uint32_t magic, const void *rec, uint32_t size);
/* 0; -EINVAL for what is no such file. n: bytes there are. */
int twin_get(const struct twin *t, uint64_t n, uint32_t magic, void *rec, uint32_t size);
/* Of <run>/<uuid>/<name>. -ENOENT: none, or one that is being removed. */
int twin_read(const char *run, const char *uuid, const char *name, uint32_t magic, void *rec, uint32_t size);
/* Maps the one in dir for writing; 1 if it was made new, 0 with *rec filled if it was there. */
int twin_map(int dir, const char *name, uint32_t magic, void *rec, uint32_t size, struct twin **out);
void twin_unmap(struct twin **t);

#endif
