/* SPDX-License-Identifier: MPL-2.0 */
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

bool str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int str_to_u64(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	*out = v;
	return 0;
}

int str_to_i64(const char *s, int64_t *out)
{
	bool neg = *s == '-';
	uint64_t v;
	int r = str_to_u64(s + neg, &v);

	if (r < 0)
		return r;
	if (v > (uint64_t)INT64_MAX + neg)
		return -ERANGE;
	*out = neg ? (int64_t)-v : (int64_t)v;
	return 0;
}

int str_to_bytes(const char *s, uint64_t *out)
{
	static const char units[] = "kmgtp";
	char *end;
	const char *u;
	double v;
	uint64_t mul = 1;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	if (str_to_u64(s, out) == 0)
		return 0;
	/* strtod would take hex, exponents and the locale's comma: let only digits and one point through. */
	if (s[strspn(s, "0123456789.")] == 0 || strspn(s, "0123456789.") > 20)
		return -EINVAL;
	v = strtod(s, &end);
	if (end != s + strspn(s, "0123456789."))
		return -EINVAL;
	u = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (u && *u) {
		mul = 1ULL << (10 * (unsigned)(u - units + 1));
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end)
		return -EINVAL;
	if (v * (double)mul >= 9.2e18)
		return -ERANGE;
	*out = (uint64_t)(v * (double)mul);
	return 0;
}

char *str_from_bytes(uint64_t n, char out[16])
{
	static const char units[] = "BKMGTP";
	double v = (double)n;
	int u = 0;

	while (v >= 1024 && u < 5) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, 16, "%uB", (unsigned)n);
	else if (v < 10 && v != (double)(unsigned)v)
		snprintf(out, 16, "%.1f%c", v, units[u]);
	else
		snprintf(out, 16, "%.0f%c", v, units[u]);
	return out;
}

char *str_ip(const char *s, char out[STR_IP])
{
	int family = strchr(s, ':') ? AF_INET6 : AF_INET;
	unsigned char ip[16];

	snprintf(out, STR_IP, "%.*s", (int)strcspn(s, "/"), s);
	if (inet_pton(family, out, ip) == 1)
		inet_ntop(family, ip, out, STR_IP);
	return out;
}

bool uuid_valid(const char *s)
{
	for (int i = 0; i < UUID_LEN; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return false;
		} else if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) {
			return false;
		}
	}
	return s[UUID_LEN] == 0;
}

void uuid_make(char out[UUID_LEN + 1])
{
	unsigned char b[16];
	ssize_t n;

	do
		n = getrandom(b, sizeof b, 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof b)
		abort();
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, UUID_LEN + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

uint64_t str_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 0xcbf29ce484222325ULL;

	while (n--) {
		h ^= *s++;
		h *= 0x100000001b3ULL;
	}
	return h;
}

unsigned str_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[66];

	if (n > 64 || m > 64)
		return 1000;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned diag = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned up = row[j], best = diag + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diag = up;
			row[j] = best;
		}
	}
	return row[m];
}
