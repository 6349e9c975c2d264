/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/burst.h"

#include <errno.h>

#include "base/clock.h"
#include "zone/twin.h"

#define SECOND     1000000000ULL
#define LOOK_NS    (SECOND / 10)
#define FINE_MIN   (SECOND / 10)
#define FINE_MAX   SECOND
#define REST_MIN   (SECOND / 4)
#define REST_MAX   (5 * SECOND)  /* a zone that runs now and then */
#define IDLE_MAX   (30 * SECOND) /* one that does nothing */
#define IDLE_PART  16            /* of the baseline: who uses less does nothing */
#define CLAMP_MIN  (SECOND / 4)
#define CLAMP_MAX  (5 * SECOND)

static uint64_t at_most(uint64_t v, uint64_t max)
{
	return v < max ? v : max;
}

static uint64_t between(uint64_t v, uint64_t min, uint64_t max)
{
	return v < min ? min : v > max ? max : v;
}

/* ns that a baseline or cap allows in a second. */
static uint64_t rate_of(uint64_t percent)
{
	return percent * (SECOND / 100);
}

/* part of a second's worth at this rate: how long it takes to use so much. */
static uint64_t time_for(uint64_t used, uint64_t rate)
{
	return rate ? (uint64_t)((__extension__(unsigned __int128)used * SECOND) / rate) : 0;
}

static bool over(const struct burst *b, uint64_t used, uint64_t ns)
{
	return time_for(used, rate_of(b->conf.baseline)) > ns;
}

static void spend(struct burst *b, uint64_t ns)
{
	b->above_ns += ns;
	b->spent_ns += ns;
}

static void earn(struct burst *b, uint64_t ns)
{
	b->below_ns += ns;
	b->spent_ns -= at_most(ns, b->spent_ns);
}

static bool all_spent(const struct burst *b)
{
	return b->conf.limit_ns && b->spent_ns >= b->conf.limit_ns;
}

static void rest(struct burst *b)
{
	b->state = BURST_REST;
	b->pend_ns = b->pend_used = 0;
}

static void look(struct burst *b, uint64_t ns, uint64_t used)
{
	b->state = BURST_LOOK;
	b->idle = 0;
	b->pend_ns = ns;
	b->pend_used = used;
}

/* It was seen to have run, and a moment later how fast: it has done so since when it took that long to use as much. */
static void look_result(struct burst *b, uint64_t ns, uint64_t used)
{
	uint64_t x, peak = rate_of(b->conf.cap ? at_most(b->conf.cap, b->conf.cpus * 100) : b->conf.cpus * 100);

	if (over(b, used, ns)) {
		b->rate = time_for(used, ns);
		x = at_most(b->pend_ns, time_for(b->pend_used, b->rate));
		earn(b, b->pend_ns - x);
		spend(b, x + ns);
		b->state = BURST_BURST;
		return;
	}
	/* it is over: at the least it took as long as all that the zone may have takes */
	x = over(b, b->pend_used, b->pend_ns) ? at_most(b->pend_ns, time_for(b->pend_used, peak)) : 0;
	spend(b, x);
	earn(b, b->pend_ns - x + ns);
	rest(b);
}

static void burst_result(struct burst *b, uint64_t ns, uint64_t used)
{
	uint64_t x;

	if (over(b, used, ns)) {
		b->rate = time_for(used, ns);
		spend(b, ns);
		return;
	}
	x = at_most(ns, time_for(used, b->rate));
	spend(b, x);
	earn(b, ns - x);
	rest(b);
}

void burst_start(struct burst *b, const struct burst_conf *c, uint64_t now, uint64_t used, uint64_t throttled)
{
	*b = (struct burst){.conf = *c, .at_ns = now, .used_ns = used, .throttled = throttled};
	/* a zone that has just booted runs */
	look(b, 0, 0);
}

void burst_conf(struct burst *b, const struct burst_conf *c)
{
	bool same = b->conf.baseline == c->baseline && b->conf.limit_ns == c->limit_ns;

	b->conf = *c;
	if (same)
		return;
	if (all_spent(b))
		b->state = BURST_CLAMPED;
	else if (b->state != BURST_LOOK)
		look(b, 0, 0);
}

void burst_sample(struct burst *b, uint64_t now, uint64_t used, uint64_t throttled)
{
	uint64_t ns = now > b->at_ns ? now - b->at_ns : 0, more = used > b->used_ns ? used - b->used_ns : 0;
	uint64_t held = throttled > b->throttled ? throttled - b->throttled : 0;

	b->at_ns = now;
	b->used_ns = used;
	b->throttled = throttled;
	switch ((enum burst_state)b->state) {
	case BURST_REST:
		if (over(b, more * IDLE_PART, ns)) {
			look(b, ns, more);
			return;
		}
		earn(b, ns);
		b->idle++;
		return;
	case BURST_LOOK: look_result(b, ns, more); break;
	case BURST_BURST: burst_result(b, ns, more); break;
	case BURST_CLAMPED:
		/* that is time below as well, but earns nothing */
		held = at_most(ns, held * BURST_PERIOD);
		/* somebody has taken the clamp off meanwhile */
		if (over(b, more, ns))
			return;
		b->below_ns += held;
		earn(b, ns - held);
		if (b->spent_ns == 0)
			look(b, 0, 0);
		return;
	}
	if (all_spent(b))
		b->state = BURST_CLAMPED;
}

uint64_t burst_due(const struct burst *b)
{
	uint64_t left = b->conf.limit_ns > b->spent_ns ? b->conf.limit_ns - b->spent_ns : 0, ns;
	unsigned twice = (unsigned)at_most(b->idle, 10);

	switch ((enum burst_state)b->state) {
	case BURST_LOOK: return b->at_ns + LOOK_NS;
	case BURST_BURST:
		if (!b->conf.limit_ns)
			return b->at_ns + FINE_MAX;
		return b->at_ns + at_most(left, between(b->conf.limit_ns / 20, FINE_MIN, FINE_MAX));
	case BURST_CLAMPED: return b->at_ns + between(b->spent_ns, CLAMP_MIN, CLAMP_MAX);
	case BURST_REST: break;
	}
	if (!b->conf.limit_ns)
		left = IDLE_MAX * 2;
	ns = between(left / 4, REST_MIN, REST_MAX);
	return b->at_ns + at_most(ns << twice, between(left / 2, REST_MIN, IDLE_MAX));
}

uint64_t burst_effective(const struct burst *b)
{
	return b->state == BURST_CLAMPED ? b->conf.baseline : b->conf.cap;
}

int burst_read(const char *run, const char *uuid, struct burst *out)
{
	struct burst b;
	int r = twin_read(run, uuid, BURST_FILE, BURST_MAGIC, &b, sizeof b);
	uint64_t now = clock_mono_ns();

	if (r < 0)
		return r;
	if (b.state > BURST_CLAMPED)
		return -EINVAL;
	if (b.state == BURST_REST && now > b.at_ns) {
		earn(&b, now - b.at_ns);
		b.at_ns = now;
	}
	*out = b;
	return 0;
}
