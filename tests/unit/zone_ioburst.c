/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "zone/ioburst.h"

#define S   1000000000ULL
#define MS  1000000ULL
#define MIB (1ULL << 20)

/* A zone that wants so much a second, on a kernel that holds what the burst says. In steps of 10 ms. */
struct sim {
	struct ioburst b;
	uint64_t now, due, used[IOBURST_N];
	unsigned samples;
};

static const struct ioburst_conf conf = {.limit_ns = 5 * S, .base = {0, 10 * MIB, 0, 100}, .max = {0, 50 * MIB, 0, 200}};

static void begin(struct sim *m, const struct ioburst_conf *c)
{
	*m = (struct sim){.now = 1000 * S};
	ioburst_start(&m->b, c, m->now, m->used);
	m->due = ioburst_due(&m->b);
}

static void run(struct sim *m, uint64_t ns, unsigned k, uint64_t want)
{
	for (uint64_t end = m->now + ns; m->now < end; m->now += 10 * MS) {
		uint64_t may = ioburst_ceiling(&m->b, k), rate = may && want > may ? may : want;

		m->used[k] += rate / 100;
		if (m->now + 10 * MS < m->due)
			continue;
		ioburst_sample(&m->b, m->now + 10 * MS, m->used);
		m->due = ioburst_due(&m->b);
		m->samples++;
	}
}

static void near(uint64_t got, uint64_t want, unsigned percent)
{
	uint64_t d = got > want ? got - want : want - got;

	if (d * 100 > want * percent)
		assert_int_equal(got, want);
}

/* The worked number of docs/limits.md. */
static void spent_and_earned(void **s)
{
	struct sim m;
	uint64_t before;

	begin(&m, &conf);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
	run(&m, 4900 * MS, 1, 500 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
	run(&m, 200 * MS, 1, 500 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 3), 200); /* the others have their own */
	/* who stays at the ceiling earns nothing */
	before = m.used[1];
	run(&m, 60 * S, 1, 500 * MIB);
	near(m.used[1] - before, 600 * MIB, 1);
	near(m.b.spent_ns[1], 5 * S, 1);
	/* at rest a second at the higher ceiling takes four */
	run(&m, 3500 * MS, 1, 0);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	run(&m, 1500 * MS, 1, 0);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
	run(&m, 30 * S, 1, 0);
	assert_int_equal(m.b.spent_ns[1], 0);
}

/* Whatever it does, and however it was sampled: no more than ceiling x t and the burst. */
static void never_more(void **s)
{
	struct sim m;
	uint64_t begun;

	begin(&m, &conf);
	begun = m.now;
	srandom(7);
	for (int i = 0; i < 2000; i++) {
		run(&m, (uint64_t)(random() % 3000) * MS, 1, (uint64_t)(random() % 90) * MIB);
		/* 0.1 s late is what a sample may be */
		assert_true(m.used[1] <= (m.now - begun) / MS * 10 * MIB / 1000 + 40 * MIB * 5 + 5 * MIB);
	}
}

static void half_way(void **s)
{
	struct sim m;

	begin(&m, &conf);
	/* half between the two: twice as long */
	run(&m, 9900 * MS, 1, 30 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
	run(&m, 300 * MS, 1, 30 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	/* below the ceiling: never */
	begin(&m, &conf);
	run(&m, 100 * S, 1, 10 * MIB - 1);
	assert_int_equal(m.b.spent_ns[1], 0);
	assert_true(m.samples <= 21);
}

static void operations(void **s)
{
	struct sim m;

	begin(&m, &conf);
	run(&m, 5100 * MS, 3, 1000);
	assert_int_equal(ioburst_ceiling(&m.b, 3), 100);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
	assert_int_equal(ioburst_ceiling(&m.b, 0), 0);
}

static void without_a_worker(void **s)
{
	struct sim m;

	begin(&m, &conf);
	/* dead for 20 s, in which it bursts on, unclamped: all of it is charged, and has to be earned */
	m.now += 20 * S;
	m.used[1] += 1000 * MIB;
	assert_int_equal(ioburst_sample(&m.b, m.now, m.used), 2);
	near(m.b.spent_ns[1], 20 * S, 1);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	assert_int_equal(ioburst_sample(&m.b, m.now, m.used), 0); /* told once */
	m.due = ioburst_due(&m.b);
	run(&m, 60 * S, 1, 0);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	run(&m, 6 * S, 1, 0);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 50 * MIB);
}

static void changed_live(void **s)
{
	struct ioburst_conf c = conf;
	struct sim m;

	begin(&m, &c);
	run(&m, 6 * S, 1, 500 * MIB);
	c.max[1] = 40 * MIB;
	ioburst_conf(&m.b, &c); /* no pardon */
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	c.limit_ns = 60 * S;
	ioburst_conf(&m.b, &c);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 40 * MIB);
	c.limit_ns = S;
	ioburst_conf(&m.b, &c);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 10 * MIB);
	c.max[1] = 0;
	ioburst_conf(&m.b, &c);
	assert_int_equal(ioburst_ceiling(&m.b, 1), 0);
}

/* Counters that go back, clocks that stand, numbers at the end of their range. */
static void what_is_wrong(void **s)
{
	struct ioburst_conf c = {.limit_ns = 86400 * S, .base = {1, 1, 1, 1}, .max = {INT64_MAX, 2, 2, INT64_MAX}};
	uint64_t none[IOBURST_N] = {0}, all[IOBURST_N] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct ioburst b;

	ioburst_start(&b, &c, 5 * S, none);
	assert_int_equal(ioburst_sample(&b, 6 * S, all), 6);
	assert_true(b.spent_ns[1] > 86400 * S);
	assert_true(ioburst_due(&b) > 6 * S);
	ioburst_sample(&b, 6 * S, none);
	ioburst_sample(&b, 5 * S, none);
	ioburst_sample(&b, UINT64_MAX / 2, none);
	assert_true(ioburst_ceiling(&b, 0) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(spent_and_earned), cmocka_unit_test(never_more), cmocka_unit_test(half_way), cmocka_unit_test(operations),
		cmocka_unit_test(without_a_worker), cmocka_unit_test(changed_live), cmocka_unit_test(what_is_wrong),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
