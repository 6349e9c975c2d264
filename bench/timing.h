/* SPDX-License-Identifier: MPL-2.0 */
/* The clock of the programs that measure. Each is compiled by itself, by what runs it. */
#pragma once
#include <time.h>

/* Seconds, of a clock that nobody sets. */
static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
