/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A zone's own numbers, and the host's that they are parts of, as its worker tells them to the zone: the text of
 * /.zonecontrol/numbers, lines "name value". What is not counted has no line. Names are kept for
 * as long as there are zones, since the two ends may be of different versions. Pure; libc only.
 */
#ifndef CLOISTER_ZONE_NUMBERS_H
#define CLOISTER_ZONE_NUMBERS_H

#include "base/buf.h"
#include "kern/cgroup_stat.h"
#include "kern/hoststat.h"

#define NUMBERS_FILE "numbers" /* in /.zonecontrol */
#define NUMBERS_MAX  8192      /* bytes of it */

struct zone_numbers {
	uint64_t mono_ns; /* when, by the host's monotonic clock */
	uint64_t cpus;
	uint64_t v[CGV_COUNT];
	struct host_stat host;
};

void numbers_write(const struct zone_numbers *n, struct buf *out);
/* Lines that it does not know are passed over. -EINVAL without the first line or the time. */
int numbers_parse(const char *text, size_t n, struct zone_numbers *out);

#endif
