/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A sum that tells damage from data, eight bytes at a time: every step can be undone, so two texts that differ in one word never have the same.
 * Against whoever means to have the same it is no help.
 */
#ifndef CLOISTER_BASE_SUM64_H
#define CLOISTER_BASE_SUM64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sum64 {
	uint64_t h, n;
	unsigned char part[8]; /* n % 8 bytes of it */
};
#define SUM64_INIT ((struct sum64){.h = 0xcbf29ce484222325})

static inline uint64_t sum64_step(uint64_t h, uint64_t w)
{
	h ^= w;
	return (h << 29 | h >> 35) * 0x9e3779b97f4a7c15;
}

static inline void sum64_add(struct sum64 *s, const void *p, size_t len)
{
	const unsigned char *b = p;
	uint64_t w;

	while (len) {
		size_t at = s->n % 8, take = len < 8 - at ? len : 8 - at;

		if (at == 0 && len >= 8) {
			memcpy(&w, b, 8);
			take = 8;
		} else {
			memcpy(s->part + at, b, take);
			memcpy(&w, s->part, 8);
		}
		s->n += take;
		b += take;
		len -= take;
		if (s->n % 8 == 0)
			s->h = sum64_step(s->h, w);
	}
}

/* Of what has been added so far; more may be. */
static inline uint64_t sum64(const struct sum64 *s)
{
	uint64_t w = 0, h = s->h;

	memcpy(&w, s->part, s->n % 8);
	h = sum64_step(sum64_step(h, w), s->n);
	return h ^ h >> 32;
}

#endif
