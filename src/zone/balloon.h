/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How much of a machine's memory its balloon shall hold: what its guest has no use for, when the host is short, and never so much that the guest has
 * less than its memory_reservation. What the guest says of itself is believed: one that lies has less memory, or the host what it would
 * have had without a balloon, which the cgroup's limit bounds. Pure, in bytes; libc only. The worker acts on it (zoneadmd/part_balloon.c).
 */
#ifndef CLOISTER_ZONE_BALLOON_H
#define CLOISTER_ZONE_BALLOON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BALLOON_UNKNOWN UINT64_MAX

/* What its monitor answers; BALLOON_UNKNOWN: it did not say. */
struct balloon_says {
	uint64_t base, plugged, actual; /* started with, added since, and what the balloon leaves of base */
	uint64_t total, available, free, swap_in, major_faults, updated; /* the guest's own words, and when it said them, s */
};
#define BALLOON_SILENT ((struct balloon_says){BALLOON_UNKNOWN, BALLOON_UNKNOWN, BALLOON_UNKNOWN, BALLOON_UNKNOWN, BALLOON_UNKNOWN, \
					      BALLOON_UNKNOWN, BALLOON_UNKNOWN, BALLOON_UNKNOWN, BALLOON_UNKNOWN})
/* One line of it; what it does not hold stays as it was in s. 0: an answer; 1: an event that the balloon has another size; -ENOMSG: neither. */
int balloon_read(const char *line, size_t n, struct balloon_says *s);

struct balloon_host {
	uint64_t total, available;
	uint64_t stalled; /* PSI: hundredths of a percent of the last 10 s in which something waited for memory */
};

struct balloon {
	uint64_t floor; /* memory_reservation, 0 = it is to hold nothing */
	unsigned below; /* % of the host's memory that is available below which it may hold something; 0 = never */
	/* from here on its own */
	uint64_t want;              /* bytes that it shall hold */
	uint64_t most;              /* that it has held since want was raised last */
	uint64_t calm_ns, cool_ns;  /* nothing is taken before; how long after the next time that the guest needs its memory */
	uint64_t updated, swap_in, major_faults; /* of the last words that were new */
	uint64_t since_ns;          /* when want was raised last */
	bool tight;
};

/* now: CLOCK_MONOTONIC. Returns want: the command to give is the base without it. */
uint64_t balloon_step(struct balloon *b, const struct balloon_says *s, const struct balloon_host *h, uint64_t now);
/* The guest begins anew: it has all of its memory, and what it has said is no more. */
void balloon_reset(struct balloon *b, uint64_t now);

#endif
