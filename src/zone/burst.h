/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bursting: a zone with a cpu_baseline spends a second of its cpu_burst_time for each second that it runs above it, up to
 * its cap; when all are spent its effective cap is the baseline until it has earned all of them back, a second for each
 * that it stays below. The arithmetic, which is pure, and the file in which the worker keeps it. Libc only.
 *
 * Seconds above are told from two counters, read seldom:
 *
 *	REST     now and then, the longer it idles the more seldom, but far sooner than its burst could be spent
 *	LOOK     it has run: 0.1 s later its rate says whether it bursts, and how long it had when it was seen
 *	BURST    above the baseline: often; and just when the last second is spent
 *	CLAMPED  just when the last second can be earned back, and now and then whether the clamp is still there. A period in which the clamp held it back earns nothing.
 */
#ifndef CLOISTER_ZONE_BURST_H
#define CLOISTER_ZONE_BURST_H

#include <stdbool.h>
#include <stdint.h>

#define BURST_FILE   "burst" /* below the run directory */
#define BURST_PERIOD 100000000ULL /* ns: of a cap */

struct burst_conf {
	uint64_t cap, baseline; /* percent of one processor; cap 0 = none */
	uint64_t limit_ns;      /* 0 = without end */
	uint64_t cpus;          /* of the host: how fast it may run without a cap */
};

enum burst_state { BURST_REST, BURST_LOOK, BURST_BURST, BURST_CLAMPED };

struct burst {
	struct burst_conf conf;
	uint64_t state, idle; /* idle: looks in a row that found it so */
	uint64_t at_ns, used_ns, throttled;     /* CLOCK_MONOTONIC; counters as they were then */
	uint64_t spent_ns, above_ns, below_ns;  /* spent: at most limit_ns, and what a dead worker let it have */
	uint64_t rate;                          /* ns used a second when it last burst */
	uint64_t pend_ns, pend_used;            /* LOOK: the time that is not accounted yet */
};

/* The first sample. */
void burst_start(struct burst *b, const struct burst_conf *c, uint64_t now, uint64_t used, uint64_t throttled);
/* Another configuration; what is spent stays spent. */
void burst_conf(struct burst *b, const struct burst_conf *c);
/* A sample. throttled (periods held back) counts when CLAMPED only. */
void burst_sample(struct burst *b, uint64_t now, uint64_t used, uint64_t throttled);
/* When the next one is to be taken. */
uint64_t burst_due(const struct burst *b);
/* What the zone may use now, percent; 0 = no cap. */
uint64_t burst_effective(const struct burst *b);

#define BURST_MAGIC 0x31545342u /* of the file, zone/twin.h */
/* Of the file at <run>/<uuid>/burst, with what it has earned since by resting. -ENOENT: the zone has no baseline. */
int burst_read(const char *run, const char *uuid, struct burst *out);

#endif
