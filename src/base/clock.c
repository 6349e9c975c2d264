/* SPDX-License-Identifier: MPL-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static uint64_t now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return now(CLOCK_REALTIME);
}

char *clock_iso(uint64_t wall_ns, char out[CLOCK_TEXT])
{
	time_t s = (time_t)(wall_ns / 1000000000ULL);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(out, CLOCK_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall_ns / 1000000 % 1000));
	return out;
}

int clock_parse_iso(const char *s, uint64_t *wall_ns)
{
	struct tm tm = {0};
	unsigned ms = 0;
	int n = 0;

	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &n) != 6)
		return -EINVAL;
	s += n;
	if (*s == '.') {
		unsigned scale = 100;

		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10)
			ms += (unsigned)(*s - '0') * scale;
	}
	if (s[0] != 'Z' || s[1])
		return -EINVAL;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*wall_ns = (uint64_t)timegm(&tm) * 1000000000ULL + (uint64_t)ms * 1000000ULL;
	return 0;
}
