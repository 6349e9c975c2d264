/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_BASE_CLOCK_H
#define CLOISTER_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT 72

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
uint64_t clock_wall_ns(void); /* since 1970, UTC */
/* "2026-01-31T12:00:00.123Z", as vmadm prints times. Returns out. */
char *clock_iso(uint64_t wall_ns, char out[CLOCK_TEXT]);
/* The reverse, to the millisecond. 0 or -EINVAL. */
int clock_parse_iso(const char *s, uint64_t *wall_ns);

#endif
