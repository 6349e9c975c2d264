/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What zones use, as lines of a report: first the host as a whole, [total]; then what of it is no zone's, [system]; then
 * each zone. In every column that adds up, [system] and the zones are [total]. Pure.
 */
#ifndef CLOISTER_STAT_USE_H
#define CLOISTER_STAT_USE_H

#include "stat/sample.h"

enum use_col {
	USE_NAME, USE_UUID, USE_ID,
	USE_CPU, USE_CPU_HOST, USE_CPU_CAP, USE_CPU_SHARE, /* thousandths of a processor; tenths of a percent */
	USE_MEM, USE_MEM_LIMIT, USE_MEM_CAP, USE_SWAP,     /* bytes; tenths of a percent of the cap */
	USE_LWPS, USE_LWPS_LIMIT,
	USE_READ, USE_WRITTEN, USE_READS, USE_WRITES,      /* a second */
	USE_PSI_CPU, USE_PSI_MEM, USE_PSI_IO,              /* hundredths of a percent of the last ten seconds */
	USE_RECEIVED, USE_SENT,                            /* bytes a second, of their VNICs */
	USE_STEAL,                                         /* thousandths of a processor: what a machine's wanted and did not get */
	USE_COLS
};

struct use_line {
	const struct stat_zone *z;   /* NULL for [total] and [system] */
	const char *name;            /* alias, else the zone's name */
	uint64_t v[USE_COLS];        /* CGV_UNKNOWN, CGV_NONE */
};

/* Lines of a sample that has one before it; free() them. Returns how many: at least two. */
size_t use_lines(const struct stat_sample *s, struct use_line **out);
/* Sorts the zones' lines: most first, names and ids from the least. */
void use_sort(struct use_line *l, size_t n, enum use_col by);

#endif
