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

/*
 * The calendar by hand: gmtime_r(3) and timegm(3) read the host's time zone first, seven system calls of every command.
 * Years begin in March here, so that the leap day is a year's last; an era is 400 years, 719468 days lie between
 * 0000-03-01 and 1970-01-01.
 */
static void date_of(unsigned long days, unsigned *y, unsigned *m, unsigned *d)
{
	unsigned long z = days + 719468, in_era = z % 146097;
	unsigned long year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned long day = in_era - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153;

	*d = (unsigned)(day - (153 * month + 2) / 5 + 1);
	*m = (unsigned)(month < 10 ? month + 3 : month - 9);
	*y = (unsigned)(year + z / 146097 * 400 + (*m <= 2));
}

static unsigned long days_of(unsigned y, unsigned m, unsigned d)
{
	unsigned long year = y - (m <= 2), in_era = year % 400;

	return year / 400 * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1 -
	       719468;
}

char *clock_iso(uint64_t wall_ns, char out[CLOCK_TEXT])
{
	unsigned long s = (unsigned long)(wall_ns / 1000000000ULL);
	unsigned y, m, d;

	date_of(s / 86400, &y, &m, &d);
	snprintf(out, CLOCK_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", y % 10000, m % 100, d % 100, (unsigned)(s / 3600 % 24),
		 (unsigned)(s / 60 % 60), (unsigned)(s % 60), (unsigned)(wall_ns / 1000000 % 1000));
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
	*wall_ns = (days_of((unsigned)tm.tm_year, (unsigned)tm.tm_mon, (unsigned)tm.tm_mday) * 86400ULL +
		    (uint64_t)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec)) * 1000000000ULL + (uint64_t)ms * 1000000ULL;
	return 0;
}
