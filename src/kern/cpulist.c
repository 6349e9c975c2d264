/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/cpulist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS (CPUS_MAX / 64)

static void add(struct cpus *c, unsigned cpu)
{
	c->bits[cpu / 64] |= 1ULL << (cpu % 64);
}

/* A number and what is behind it; -1 none, CPUS_MAX and more: too many. */
static long number(const char **s)
{
	long v = -1;

	for (; **s >= '0' && **s <= '9'; (*s)++)
		v = v < 0 ? **s - '0' : v > CPUS_MAX ? v : v * 10 + (**s - '0');
	return v;
}

int cpus_parse(const char *text, struct cpus *out)
{
	struct cpus c = {{0}};

	for (const char *s = text; *s && *s != '\n';) {
		long from = number(&s), to = from;

		if (from >= 0 && *s == '-') {
			s++;
			to = number(&s);
		}
		if (from < 0 || to < from || (*s && *s != ',' && *s != '\n') || (*s == ',' && (!s[1] || s[1] == '\n')))
			return -EINVAL;
		if (to >= CPUS_MAX)
			return -ERANGE;
		for (; from <= to; from++)
			add(&c, (unsigned)from);
		s += *s == ',';
	}
	*out = c;
	return 0;
}

char *cpus_text(const struct cpus *c, char out[CPUS_TEXT])
{
	size_t n = 0;

	*out = 0;
	for (unsigned i = 0; i < CPUS_MAX && n < CPUS_TEXT - 16; i++) {
		unsigned first = i;

		if (!cpus_has(c, i))
			continue;
		while (i + 1 < CPUS_MAX && cpus_has(c, i + 1))
			i++;
		n += (size_t)(first == i ? snprintf(out + n, CPUS_TEXT - n, "%s%u", n ? "," : "", i)
					 : snprintf(out + n, CPUS_TEXT - n, "%s%u-%u", n ? "," : "", first, i));
	}
	return out;
}

unsigned cpus_count(const struct cpus *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(c->bits[i]);
	return n;
}

bool cpus_has(const struct cpus *c, unsigned cpu)
{
	return cpu < CPUS_MAX && c->bits[cpu / 64] >> (cpu % 64) & 1;
}

struct cpus cpus_and(const struct cpus *a, const struct cpus *b)
{
	struct cpus c;

	for (size_t i = 0; i < WORDS; i++)
		c.bits[i] = a->bits[i] & b->bits[i];
	return c;
}

struct cpus cpus_or(const struct cpus *a, const struct cpus *b)
{
	struct cpus c;

	for (size_t i = 0; i < WORDS; i++)
		c.bits[i] = a->bits[i] | b->bits[i];
	return c;
}

struct cpus cpus_less(const struct cpus *a, const struct cpus *b)
{
	struct cpus c;

	for (size_t i = 0; i < WORDS; i++)
		c.bits[i] = a->bits[i] & ~b->bits[i];
	return c;
}

bool cpus_equal(const struct cpus *a, const struct cpus *b)
{
	return !memcmp(a, b, sizeof *a);
}

struct cpus cpus_last(const struct cpus *a, unsigned n)
{
	struct cpus c = {{0}};

	for (unsigned i = CPUS_MAX; i-- > 0 && n;)
		if (cpus_has(a, i)) {
			add(&c, i);
			n--;
		}
	return c;
}

struct cpus cpus_from(const struct cpus *a, unsigned n, unsigned first)
{
	struct cpus c = {{0}};

	for (unsigned i = 0; i < CPUS_MAX && n; i++) {
		unsigned cpu = (first % CPUS_MAX + i) % CPUS_MAX;

		if (cpus_has(a, cpu)) {
			add(&c, cpu);
			n--;
		}
	}
	return c;
}
