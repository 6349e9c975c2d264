/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/balloon.h"

#include <errno.h>
#include <string.h>

#define MIB         (1ULL << 20)
#define SECOND      1000000000ULL
#define STEP_MIN    (4 * MIB)
#define SLACK       (8 * MIB)      /* a balloon is not exact */
#define HEAD_MIN    (32 * MIB)     /* what a guest has available in any case … */
#define HEAD_MAX    (1024 * MIB)   /* … and what is enough for a large one */
#define SWAPPED     MIB            /* read back from the guest's swap between two of its words: it misses memory */
#define FAULTS      200            /* or so many pages from its disks */
#define COOL_FIRST  (60 * SECOND)
#define COOL_MOST   (960 * SECOND)
#define PATIENCE    (60 * SECOND)  /* for a guest to give what it is asked for */
#define GIVES_NONE  (600 * SECOND) /* until it is asked again */
#define STALLED     1000           /* 10 % */
#define RELAXED     5              /* % more than below */

/* Behind `"key": `, as QEMU writes it, a whole number; a number that is not known is one without a sign, all ones. */
static bool number(const char *line, size_t n, const char *key, uint64_t *out)
{
	size_t len = strlen(key);
	const char *end = line + n, *p = memmem(line, n, key, len);
	uint64_t v = 0;

	if (!p || p == line || p[-1] != '"' || end - (p += len) < 4 || memcmp(p, "\": ", 3))
		return false;
	p += 3;
	if (*p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*out = v;
	return true;
}

static bool begins(const char *line, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(line, with, strlen(with));
}

int balloon_read(const char *line, size_t n, struct balloon_says *s)
{
	if (!begins(line, n, "{\"return\": ") && !begins(line, n, "{\"error\": ")) {
		if (!memmem(line, n, "\"event\": \"BALLOON_CHANGE\"", 25))
			return -ENOMSG;
		return number(line, n, "actual", &s->actual) ? 1 : -ENOMSG;
	}
	number(line, n, "actual", &s->actual);
	number(line, n, "base-memory", &s->base);
	number(line, n, "plugged-memory", &s->plugged);
	if (memmem(line, n, "\"stats\": ", 9)) {
		number(line, n, "stat-total-memory", &s->total);
		number(line, n, "stat-available-memory", &s->available);
		number(line, n, "stat-free-memory", &s->free);
		number(line, n, "stat-swap-in", &s->swap_in);
		number(line, n, "stat-major-faults", &s->major_faults);
		number(line, n, "last-update", &s->updated);
	}
	return 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool tight(struct balloon *b, const struct balloon_host *h)
{
	uint64_t percent = h->total ? h->available / (h->total / 100 + 1) : 100;

	if (!b->below)
		return b->tight = false;
	/* what waits may be one zone at its own limit: with half of the memory free, that is none of the host's */
	if (percent < b->below || (percent < 2ULL * b->below && h->stalled >= STALLED))
		b->tight = true;
	else if (percent >= b->below + RELAXED)
		b->tight = false;
	return b->tight;
}

static uint64_t give(struct balloon *b)
{
	b->want = b->most = 0;
	return 0;
}

/* Each time soon after the last one it is left alone for longer. */
static uint64_t needs(struct balloon *b, uint64_t now)
{
	if (now > b->calm_ns && now - b->calm_ns > 2 * COOL_MOST)
		b->cool_ns = 0;
	b->cool_ns = b->cool_ns ? min(b->cool_ns * 2, COOL_MOST) : COOL_FIRST;
	b->calm_ns = now + b->cool_ns;
	return give(b);
}

void balloon_reset(struct balloon *b, uint64_t now)
{
	b->calm_ns = now + COOL_FIRST;
	b->updated = 0;
	give(b);
}

static bool grew(uint64_t *was, uint64_t is, uint64_t by)
{
	bool much = is != BALLOON_UNKNOWN && *was != BALLOON_UNKNOWN && is > *was && is - *was >= by;

	*was = is;
	return much;
}

uint64_t balloon_step(struct balloon *b, const struct balloon_says *s, const struct balloon_host *h, uint64_t now)
{
	uint64_t plugged = s->plugged == BALLOON_UNKNOWN ? 0 : s->plugged;
	uint64_t available = s->available != BALLOON_UNKNOWN ? s->available : s->free;
	uint64_t total, held, head, room, step;
	bool fresh, first, missing;

	if (s->base == BALLOON_UNKNOWN || s->actual == BALLOON_UNKNOWN || s->base > 1ULL << 60 || plugged > 1ULL << 60)
		return b->want;
	total = s->base + plugged;
	held = less(s->base, s->actual);
	head = total / 16 < HEAD_MIN ? HEAD_MIN : min(total / 16, HEAD_MAX);
	room = min(less(total, b->floor), less(s->base, HEAD_MIN));
	if (!b->floor || !room || !tight(b, h))
		return give(b);
	if (b->want > room)
		b->want = room;
	/* it has taken some back by itself, for want of memory */
	if (held > b->most)
		b->most = held;
	if (b->most > held + SLACK && b->want > held + SLACK)
		return needs(b, now);
	fresh = s->updated != BALLOON_UNKNOWN && s->updated > b->updated;
	if (!fresh)
		return b->want;
	first = !b->updated;
	b->updated = s->updated;
	missing = grew(&b->swap_in, s->swap_in, SWAPPED);
	missing |= grew(&b->major_faults, s->major_faults, FAULTS);
	if (available == BALLOON_UNKNOWN)
		return give(b);
	if (b->want && (available < head || (missing && !first)))
		return needs(b, now);
	/* asked for, and not there yet */
	if (b->want > held + SLACK) {
		if (now - b->since_ns < PATIENCE)
			return b->want;
		b->calm_ns = now + GIVES_NONE;
		b->want = b->most = min(held, room);
		return b->want;
	}
	step = min(less(available, 2 * head) / 2, total / 4);
	if (first || missing || now < b->calm_ns || step < STEP_MIN || held >= room)
		return b->want;
	b->want = min(held + step, room);
	b->most = held;
	b->since_ns = now;
	return b->want;
}
