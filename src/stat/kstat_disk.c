/* SPDX-License-Identifier: MPL-2.0 */
/* The statistics of a machine's disk, in the order of their names. Times are nanoseconds, together. */
#include "base/own.h"
#include "stat/kstat.h"

static const struct {
	const char *name;
	int at; /* guest_disk, or what the caller fills in */
} stats[] = {
	{"100ms_ops", GD_100MS}, {"10ms_ops", GD_10MS}, {"10s_ops", GD_10S}, {"1s_ops", GD_1S}, {"class", -KV_TEXT}, {"crtime", -KV_SECONDS},
	{"flush_time", GD_FLUSH_TIME}, {"flushes", GD_FLUSHES}, {"nread", GD_NREAD}, {"nwritten", GD_NWRITTEN}, {"read_time", GD_READ_TIME},
	{"reads", GD_READS}, {"snaptime", -KV_SECONDS}, {"write_time", GD_WRITE_TIME}, {"writes", GD_WRITES}, {"zonename", -KV_TEXT},
};

bool kstat_disk_stat(unsigned n, const struct stat_disk *d, struct kstat_item *out)
{
	if (n >= ARRAY_LEN(stats))
		return false;
	out->stat = stats[n].name;
	out->kind = stats[n].at < 0 ? (unsigned)-stats[n].at : KV_NUMBER;
	out->number = stats[n].at < 0 ? 0 : d->v[stats[n].at];
	return true;
}
