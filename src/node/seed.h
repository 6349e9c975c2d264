/* SPDX-License-Identifier: MPL-2.0 */
/* What cloud-init's NoCloud data source reads of a record: in a zone as files, in a machine on a disk of its own (docs/metadata.md). */
#ifndef CLOISTER_NODE_SEED_H
#define CLOISTER_NODE_SEED_H

#include <jansson.h>

#include "node/vm.h"

#define SEED_FILE "seed.iso" /* in a machine's run directory */

/* Texts to be freed; JSON, which is YAML. */
char *seed_meta(const json_t *rec);
char *seed_user(const json_t *rec);
char *seed_network(const json_t *rec);
/* -EFBIG: more than a spec has room for. */
int seed_check(const json_t *rec, struct err *e);
/* Into the run directory of a machine that is about to start, where its record has `nocloud`: as the state has it that it goes on with. */
int seed_put(struct vm *v, struct err *e);
/* The one that a machine was started with, in base64 as incoming.seed has it; NULL in *out: it has none. New reference. */
int seed_get(const struct vm *v, json_t **out, struct err *e);

#endif
