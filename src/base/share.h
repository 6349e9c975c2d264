/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What may be taken of a processor for what a zone asks of us, however often that is: one twentieth, and what was
 * not used of it for a while. Who asks for more waits in his own time.
 */
#ifndef CLOISTER_BASE_SHARE_H
#define CLOISTER_BASE_SHARE_H

#include <stdint.h>
#include <time.h>

#define SHARE_MS    1000000
#define SHARE_PART  20                /* one twentieth of a processor … */
#define SHARE_SAVED (100 * SHARE_MS)  /* … and what was not used of it, up to this */

struct share {
	int64_t left;    /* ns of processor time that may be used */
	uint64_t filled; /* CLOCK_MONOTONIC ns */
};

static inline void share_refill(struct share *s, uint64_t now)
{
	int64_t more = (int64_t)((now - s->filled) / SHARE_PART);

	s->left = s->left + more < SHARE_SAVED ? s->left + more : SHARE_SAVED;
	s->filled = now;
}

/* When there is a millisecond of it again. */
static inline uint64_t share_due(const struct share *s)
{
	return s->filled + (uint64_t)(SHARE_MS - s->left) * SHARE_PART;
}

/* The processor time of the calling thread, ns. */
static inline uint64_t share_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#endif
