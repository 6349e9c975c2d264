/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Of a disk in QEMU that runs: its ceilings, and how long its requests take. Nothing here acts (node/disks_tune.c). Answers of QEMU's
 * are a hostile program's, at worst: what is not as it should be is left out.
 */
#ifndef CLOISTER_HVM_QTUNE_H
#define CLOISTER_HVM_QTUNE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Arguments of block_set_io_throttle: what the record says of this disk, id the device's name or path. */
json_t *qtune_ceilings(const json_t *disk, const char *id);
/* Whether a device has them: "inserted" of query-block. */
bool qtune_has(const json_t *inserted, const json_t *disk);

/* Arguments of block-latency-histogram-set: 1, 2, 5, … from 10 µs to 10 s. */
json_t *qtune_histogram(const char *id);
/* Of a device in query-blockstats: {"read": {"under_1ms": 7, …}, "write": …, "flush": …}, without what is 0; NULL = it counts none. */
json_t *qtune_latency(const json_t *stats);
/* How many requests of all kinds took that long or longer; UINT64_MAX = it is not counted. */
uint64_t qtune_longer(const json_t *stats, uint64_t ns);

#endif
