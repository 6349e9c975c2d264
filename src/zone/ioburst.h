/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bursts of I/O: a ceiling (io_write_bps) that may be passed, up to another (io_write_bps_max), for io_burst_time seconds. A leaky
 * bucket for each of the four, told in seconds at the higher ceiling:
 *
 *	spent += time x (rate - ceiling) / (max - ceiling)      never below 0
 *
 * When io_burst_time is spent the ceiling holds, until a second of it (or all, if it is less) has been earned back. So in
 * any time t a zone has at most ceiling x t + (max - ceiling) x io_burst_time, however seldom it is sampled: what a sample
 * finds too much stays spent. Pure but for ioburst_read(); libc only.
 */
#ifndef CLOISTER_ZONE_IOBURST_H
#define CLOISTER_ZONE_IOBURST_H

#include <stdbool.h>
#include <stdint.h>

#define IOBURST_FILE  "ioburst"   /* below the run directory (zone/twin.h) */
#define IOBURST_MAGIC 0x31544249u
#define IOBURST_N     4           /* as CG_IO_CEILINGS: bytes read, written, reads, writes */

struct ioburst_conf {
	uint64_t limit_ns;
	uint64_t base[IOBURST_N], max[IOBURST_N]; /* a second; max 0 = that ceiling has no burst */
};

struct ioburst {
	struct ioburst_conf conf;
	uint64_t at_ns;              /* CLOCK_MONOTONIC */
	uint64_t used[IOBURST_N];    /* counters as they were then */
	uint64_t spent_ns[IOBURST_N];
	uint64_t clamped;            /* bits */
};

/* The first sample. */
void ioburst_start(struct ioburst *b, const struct ioburst_conf *c, uint64_t now, const uint64_t used[IOBURST_N]);
/* Another configuration; what is spent stays spent. */
void ioburst_conf(struct ioburst *b, const struct ioburst_conf *c);
/* A sample. Returns the bits of the ceilings whose burst is spent now and was not before. */
uint64_t ioburst_sample(struct ioburst *b, uint64_t now, const uint64_t used[IOBURST_N]);
/* When the next one is to be taken: no later than a burst can be spent. */
uint64_t ioburst_due(const struct ioburst *b);
/* What ceiling k is now; 0 = that is not the burst's to say. */
uint64_t ioburst_ceiling(const struct ioburst *b, unsigned k);
/* -ENOENT: the zone has none. */
int ioburst_read(const char *run, const char *uuid, struct ioburst *out);

#endif
