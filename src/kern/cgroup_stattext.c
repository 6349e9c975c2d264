/* SPDX-License-Identifier: MPL-2.0 */
/* The texts of a cgroup's statistics as numbers. Pure; no sscanf, which costs more than the read. */
#include <string.h>

#include "kern/cgroup_stat.h"

#define NO_LIMIT_V1 0x7fffffffffff0000ULL /* the largest multiple of any page size below 2^63 */

static const char *digits(const char *t, uint64_t *out)
{
	uint64_t v = 0;

	for (; *t >= '0' && *t <= '9'; t++) {
		uint64_t d = (uint64_t)(*t - '0');

		v = v > (UINT64_MAX - d) / 10 ? CGV_NONE : v * 10 + d;
	}
	*out = v;
	return t;
}

uint64_t cg_text_number(const char *t)
{
	uint64_t v;

	if (!strncmp(t, "max", 3) || !strncmp(t, "-1", 2))
		return CGV_NONE;
	if (*t < '0' || *t > '9')
		return CGV_UNKNOWN;
	digits(t, &v);
	return v >= NO_LIMIT_V1 ? CGV_NONE : v;
}

uint64_t cg_text_keyed(const char *t, const char *key)
{
	size_t n = strlen(key);

	for (; t; t = strchr(t, '\n') ? strchr(t, '\n') + 1 : NULL)
		if (!strncmp(t, key, n) && t[n] == ' ')
			return cg_text_number(t + n + 1);
	return CGV_UNKNOWN;
}

void cg_text_lines(const char *t, const char *const *key, size_t n, uint64_t *out)
{
	memset(out, 0, n * sizeof *out);
	while (*t) {
		size_t len = strcspn(t, "\n"), k = strcspn(t, " \n");

		for (size_t i = 0; k && k < len && i < n; i++) {
			if (key[i][0] == t[0] && strlen(key[i]) == k && !memcmp(key[i], t, k)) {
				uint64_t v = cg_text_number(t + k + 1);

				out[i] = v == CGV_UNKNOWN ? 0 : v;
				break;
			}
		}
		t += len + (t[len] == '\n');
	}
}

/* "12.34" as 1234. */
static const char *hundredths(const char *t, uint64_t *out)
{
	uint64_t whole, part = 0;

	t = digits(t, &whole);
	if (*t == '.') {
		unsigned n = 0;

		for (t++; *t >= '0' && *t <= '9'; t++)
			if (n++ < 2)
				part = part * 10 + (uint64_t)(*t - '0');
		if (n == 1)
			part *= 10;
	}
	*out = whole > UINT32_MAX ? CGV_UNKNOWN : whole * 100 + part;
	return t;
}

static const char *line_pressure(const char *t, uint64_t out[4])
{
	static const char *const keys[] = {"avg10=", "avg60=", "avg300=", "total="};

	for (int i = 0; i < 4; i++) {
		t += strspn(t, " ");
		if (strncmp(t, keys[i], strlen(keys[i])) != 0)
			break;
		t += strlen(keys[i]);
		t = i < 3 ? hundredths(t, &out[i]) : digits(t, &out[i]);
	}
	t += strcspn(t, "\n");
	return t + (*t == '\n');
}

void cg_text_pressure(const char *t, uint64_t out[8])
{
	for (int i = 0; i < 8; i++)
		out[i] = CGV_UNKNOWN;
	while (*t) {
		if (!strncmp(t, "some ", 5)) {
			t = line_pressure(t + 5, out);
		} else if (!strncmp(t, "full ", 5)) {
			t = line_pressure(t + 5, out + 4);
		} else {
			t += strcspn(t, "\n");
			t += *t == '\n';
		}
	}
}

static void stack(struct cg_stacked *s, uint64_t major)
{
	if (major < 64 * sizeof s->bits / sizeof s->bits[0])
		s->bits[major / 64] |= 1ULL << major % 64;
}

void cg_text_stacked(const char *t, struct cg_stacked *out)
{
	static const char *const names[] = {"ramdisk", "loop", "zram", "md", "mdp", "device-mapper", "bcache"};
	const char *at = strstr(t, "Block devices:\n");

	memset(out, 0, sizeof *out);
	stack(out, 1);
	stack(out, 7);
	for (at = at ? strchr(at, '\n') : NULL; at && *++at; at = strchr(at, '\n')) {
		uint64_t major;
		size_t n;

		at = digits(at + strspn(at, " "), &major);
		at += strspn(at, " ");
		n = strcspn(at, "\n");
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (strlen(names[i]) == n && !memcmp(at, names[i], n))
				stack(out, major);
	}
}

void cg_text_io(const char *t, const struct cg_stacked *stacked, uint64_t out[4])
{
	static const char *const keys[] = {"rbytes=", "wbytes=", "rios=", "wios="};

	memset(out, 0, 4 * sizeof *out);
	while (*t) {
		size_t n = strcspn(t, "\n");
		const char *end = t + n;
		uint64_t major;
		bool again;

		t = digits(t, &major);
		again = major < 64 * sizeof stacked->bits / sizeof stacked->bits[0] && (stacked->bits[major / 64] >> major % 64 & 1);
		while (!again && t < end) {
			t += strcspn(t, " \n");
			t += *t == ' ';
			for (int i = 0; i < 4; i++) {
				uint64_t v;

				if (strncmp(t, keys[i], strlen(keys[i])) != 0)
					continue;
				t = digits(t + strlen(keys[i]), &v);
				out[i] += v;
			}
		}
		t = end + (*end == '\n');
	}
}
