/* SPDX-License-Identifier: MPL-2.0 */
/* The last RING_SIZE bytes of a stream, addressed by their place in it. Pure. */
#ifndef CLOISTER_ZONEADMD_RING_H
#define CLOISTER_ZONEADMD_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RING_SIZE 65536u /* a power of two */

struct ring {
	uint64_t end; /* bytes ever put */
	char b[RING_SIZE];
};

static inline uint64_t ring_oldest(const struct ring *r)
{
	return r->end > RING_SIZE ? r->end - RING_SIZE : 0;
}

static inline void ring_put(struct ring *r, const char *p, size_t n)
{
	if (n > RING_SIZE) {
		r->end += n - RING_SIZE;
		p += n - RING_SIZE;
		n = RING_SIZE;
	}
	while (n) {
		size_t at = (size_t)(r->end % RING_SIZE), k = RING_SIZE - at < n ? RING_SIZE - at : n;

		memcpy(r->b + at, p, k);
		r->end += k;
		p += k;
		n -= k;
	}
}

/* Copies from place pos on, at most max bytes; pos is not older than ring_oldest(). Returns how many. */
static inline size_t ring_get(const struct ring *r, uint64_t pos, char *out, size_t max)
{
	size_t at = (size_t)(pos % RING_SIZE), n = (size_t)(r->end - pos);

	n = n < max ? n : max;
	n = n < RING_SIZE - at ? n : RING_SIZE - at;
	memcpy(out, r->b + at, n);
	return n;
}

#endif
