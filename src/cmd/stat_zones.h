/* SPDX-License-Identifier: MPL-2.0 */
/* Samples of the zones that run, for the commands that show numbers. In a zone there is one: stat_inside.c. */
#ifndef CLOISTER_CMD_STAT_ZONES_H
#define CLOISTER_CMD_STAT_ZONES_H

#include "base/ctx.h"
#include "stat/sample.h"

/* Finds the cgroups and raises the soft limit of descriptors, so that files of many zones can stay open. Not in a zone. */
int stat_zones_init(const struct ctx *c, unsigned groups, struct stat_sample *s, struct err *e);
/* One sample. Names come from the database when a zone is new. */
int stat_zones_take(const struct ctx *c, struct stat_sample *s, struct err *e);
/* "5", "0.5" seconds, at least 0.01 and at most a day, as nanoseconds; a positive count. 0 or -EINVAL. */
int stat_interval(const char *text, uint64_t *ns);
int stat_count(const char *text, uint64_t *n);
/* Sleeps until start + ns * round: what a report costs does not shift the next one. 0 or -errno (EINTR by a signal). */
int stat_sleep(uint64_t start, uint64_t ns, uint64_t round);

#endif
