/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/ioburst.h"

#include <errno.h>

#include "zone/twin.h"

#define SECOND    1000000000ULL
#define FINE_NS   (SECOND / 10)
#define CLAMP_MIN SECOND
#define CLAMP_MAX (5 * SECOND)
#define REST_MAX  (60 * SECOND)

__extension__ typedef unsigned __int128 wide;

static uint64_t between(uint64_t v, uint64_t min, uint64_t max)
{
	return v < min ? min : v > max ? max : v;
}

/* What does not fit is as much as fits. */
static uint64_t narrow(wide v)
{
	return v > UINT64_MAX / 2 ? UINT64_MAX / 2 : (uint64_t)v;
}

static bool has(const struct ioburst *b, unsigned k)
{
	return b->conf.max[k] > b->conf.base[k] && b->conf.base[k];
}

static bool clamped(const struct ioburst *b, unsigned k)
{
	return b->clamped >> k & 1;
}

/* So much must not be spent for a clamp to end. */
static uint64_t enough(const struct ioburst *b)
{
	return b->conf.limit_ns > SECOND ? b->conf.limit_ns - SECOND : 0;
}

/* The bits that came. */
static uint64_t judge(struct ioburst *b)
{
	uint64_t was = b->clamped;

	for (unsigned k = 0; k < IOBURST_N; k++) {
		if (!has(b, k) || b->spent_ns[k] <= enough(b))
			b->clamped &= ~(1ULL << k);
		else if (b->spent_ns[k] >= b->conf.limit_ns)
			b->clamped |= 1ULL << k;
		if (!has(b, k))
			b->spent_ns[k] = 0;
	}
	return b->clamped & ~was;
}

void ioburst_start(struct ioburst *b, const struct ioburst_conf *c, uint64_t now, const uint64_t used[IOBURST_N])
{
	*b = (struct ioburst){.conf = *c, .at_ns = now};
	for (unsigned k = 0; k < IOBURST_N; k++)
		b->used[k] = used[k];
}

void ioburst_conf(struct ioburst *b, const struct ioburst_conf *c)
{
	b->conf = *c;
	judge(b);
}

uint64_t ioburst_sample(struct ioburst *b, uint64_t now, const uint64_t used[IOBURST_N])
{
	uint64_t ns = now > b->at_ns ? now - b->at_ns : 0;

	for (unsigned k = 0; k < IOBURST_N; k++) {
		uint64_t more = used[k] > b->used[k] ? used[k] - b->used[k] : 0, over = b->conf.max[k] - b->conf.base[k];
		wide did = (wide)more * SECOND, may = (wide)b->conf.base[k] * ns, spent = b->spent_ns[k];

		b->used[k] = used[k];
		if (!has(b, k))
			continue;
		if (did > may)
			spent += (did - may) / over;
		else
			spent -= (may - did) / over < spent ? (may - did) / over : spent;
		b->spent_ns[k] = narrow(spent);
	}
	b->at_ns = now;
	return judge(b);
}

uint64_t ioburst_due(const struct ioburst *b)
{
	uint64_t first = REST_MAX;

	for (unsigned k = 0; k < IOBURST_N; k++) {
		uint64_t ns;

		if (!has(b, k))
			continue;
		if (clamped(b, k)) /* if it rests from now on */
			ns = between(narrow((wide)(b->spent_ns[k] - enough(b)) * (b->conf.max[k] - b->conf.base[k]) / b->conf.base[k]), CLAMP_MIN,
				     CLAMP_MAX);
		else
			ns = between(b->conf.limit_ns - b->spent_ns[k], FINE_NS, REST_MAX);
		first = ns < first ? ns : first;
	}
	return b->at_ns + first;
}

uint64_t ioburst_ceiling(const struct ioburst *b, unsigned k)
{
	return !has(b, k) ? 0 : clamped(b, k) ? b->conf.base[k] : b->conf.max[k];
}

int ioburst_read(const char *run, const char *uuid, struct ioburst *out)
{
	return twin_read(run, uuid, IOBURST_FILE, IOBURST_MAGIC, out, sizeof *out);
}
