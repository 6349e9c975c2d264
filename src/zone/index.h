/* SPDX-License-Identifier: MPL-2.0 */
/*
 * /run/cloister/index: what runs, in memory that every command can map, so that a list of thousands asks the kernel
 * nothing about each. It only speeds up: the directories and files beside it decide, and where a slot does not say
 * "alive" they are read.
 *
 * A keeper owns a slot for its life. That it lives is told by the kernel: the slot's first word is a robust futex, in
 * which the kernel sets FUTEX_OWNER_DIED when its owner ends, however it ends. Libc only.
 */
#ifndef CLOISTER_ZONE_INDEX_H
#define CLOISTER_ZONE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone/run.h"

struct index_slot; /* index.c */

/* The keeper's side: takes a slot of the index in the folder run and holds it until this process ends. */
struct index_slot *index_claim(int run, const char *uuid, const struct run_zone *z, struct err *e);
/* Init has ended: from now on the files are asked. */
void index_ended(struct index_slot *s);

/* The commands' side. */
struct index {
	void *map;
	size_t bytes;
	uint32_t *table; /* hash of uuid → slot number + 1 */
	size_t buckets;
};
/* An index that is not there, or not ours, is empty. */
void index_open(int run, struct index *x);
void index_close(struct index *x);
/* true with z and halting filled if the zone runs and its keeper lives; false: ask the files. */
bool index_running(const struct index *x, const char *uuid, struct run_zone *z, bool *halting);
/* Both are hints for the list; the files decide. */
void index_halting(int run, const char *uuid, bool on);
void index_forget(int run, const char *uuid);

#endif
