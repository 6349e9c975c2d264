/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"
#include "cmd/stat_zones.h"

int stat_interval(const char *text, uint64_t *ns)
{
	char *end;
	double d;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	d = strtod(text, &end);
	if (*end || !(d >= 0.01 && d <= 86400))
		return -EINVAL;
	*ns = (uint64_t)(d * 1e9);
	return 0;
}

int stat_count(const char *text, uint64_t *n)
{
	uint64_t v;

	if (str_to_u64(text, &v) < 0 || v == 0)
		return -EINVAL;
	*n = v;
	return 0;
}

int stat_sleep(uint64_t start, uint64_t ns, uint64_t round)
{
	uint64_t at = start + ns * round;
	struct timespec t = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};

	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
