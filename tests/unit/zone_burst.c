/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/burst.h"
#include "zone/twin.h"

#define S  1000000000ULL
#define MS 1000000ULL

/* A zone of which we know when it runs, and how fast; the kernel's cap is obeyed as the kernel does. */
struct sim {
	struct burst b;
	uint64_t now, used, throttled, due, samples;
	uint64_t want; /* percent */
};

static const struct burst_conf conf = {.cap = 100, .baseline = 25, .limit_ns = 5 * S, .cpus = 2};

static void begin(struct sim *m, const struct burst_conf *c)
{
	*m = (struct sim){.now = 1000 * S};
	burst_start(&m->b, c, m->now, 0, 0);
	m->due = burst_due(&m->b);
}

/* In steps of 10 ms. */
static void run(struct sim *m, uint64_t want, uint64_t ns)
{
	for (uint64_t end = m->now + ns; m->now < end; m->now += 10 * MS) {
		uint64_t may = burst_effective(&m->b), rate = want;

		if (m->now >= m->due) {
			burst_sample(&m->b, m->now, m->used, m->throttled);
			m->due = burst_due(&m->b);
			m->samples++;
			assert_true(m->due > m->now || m->b.state == BURST_CLAMPED);
			may = burst_effective(&m->b);
		}
		if (may && rate > may) {
			rate = may;
			m->throttled += m->now % BURST_PERIOD == 0;
		}
		m->used += rate * 10 * MS / 100;
	}
}

static uint64_t until(struct sim *m, uint64_t want, bool clamped)
{
	uint64_t from = m->now;

	while ((m->b.state == BURST_CLAMPED) != clamped) {
		assert_true(m->now - from < 100 * S);
		run(m, want, 10 * MS);
	}
	return m->now - from;
}

static void about(uint64_t got, uint64_t want, uint64_t by)
{
	if (got + by < want || got > want + by)
		fail_msg("%llu ms, wanted %llu within %llu", (unsigned long long)(got / MS), (unsigned long long)(want / MS),
			 (unsigned long long)(by / MS));
}

static void clamped_and_back(void **s)
{
	struct sim m;

	begin(&m, &conf);
	/* idle for any time before: it does not matter when it was looked at last */
	for (uint64_t rest = 0; rest < 40 * S; rest += 1370 * MS) {
		begin(&m, &conf);
		run(&m, 0, rest);
		about(until(&m, 100, true), 5 * S, 150 * MS);
		assert_int_equal(burst_effective(&m.b), 25);
		run(&m, 100, 20 * S); /* busy at its baseline: earns nothing */
		assert_int_equal(m.b.state, BURST_CLAMPED);
		about(until(&m, 0, false), 5 * S, 300 * MS);
		assert_int_equal(burst_effective(&m.b), 100);
		assert_int_equal(m.b.spent_ns, 0);
		about(m.b.above_ns, 5 * S, 150 * MS);
	}
}

static void earns_while_it_runs_below(void **s)
{
	struct sim m;

	begin(&m, &conf);
	until(&m, 100, true);
	about(until(&m, 20, false), 5 * S, 300 * MS);
	/* and again all of it */
	about(until(&m, 100, true), 5 * S, 150 * MS);
}

static void second_for_second(void **s)
{
	struct sim m;

	begin(&m, &conf);
	run(&m, 0, 3 * S);
	run(&m, 100, 3 * S); /* spent 3 */
	run(&m, 5, 2 * S);   /* earned 2 */
	about(until(&m, 100, true), 4 * S, 300 * MS);
}

static void below_never_spends(void **s)
{
	struct sim m;

	begin(&m, &conf);
	run(&m, 24, 60 * S);
	assert_int_equal(m.b.above_ns, 0);
	assert_int_equal(m.b.spent_ns, 0);
	about(m.b.below_ns, 60 * S, 3 * S);
}

static void idle_is_left_alone(void **s)
{
	struct burst_conf c = conf;
	struct sim m;

	c.limit_ns = 120 * S;
	begin(&m, &c);
	run(&m, 0, 600 * S);
	assert_true(m.samples < 40);
	c.limit_ns = 0;
	begin(&m, &c);
	run(&m, 0, 600 * S);
	assert_true(m.samples < 40);
	run(&m, 100, 600 * S); /* without end */
	assert_int_equal(burst_effective(&m.b), 100);
	about(m.b.above_ns, 600 * S, 2 * S);
}

static void without_a_worker(void **s)
{
	struct sim m;

	begin(&m, &conf);
	run(&m, 0, 2 * S);
	run(&m, 100, 2 * S);
	/* dead for 20 s, in which it bursts on, unclamped: all of it is charged, and has to be earned */
	m.due = m.now + 20 * S;
	run(&m, 100, 21 * S);
	assert_int_equal(m.b.state, BURST_CLAMPED);
	about(m.b.spent_ns, 22 * S, 400 * MS);
	about(until(&m, 0, false), 22 * S, 700 * MS);
	/* dead while it rests: nothing is */
	m.due = m.now + 20 * S;
	run(&m, 0, 21 * S);
	assert_int_equal(m.b.spent_ns, 0);
	/* dead, and it runs for half a second of that */
	begin(&m, &conf);
	run(&m, 0, 2 * S);
	m.due = m.now + 20 * S;
	run(&m, 100, 500 * MS);
	run(&m, 0, 25 * S);
	assert_true(m.b.above_ns <= 500 * MS);
}

/* Whoever takes the clamp off behind the worker's back: it is looked after, and what runs so earns nothing. */
static void clamp_taken_off(void **s)
{
	struct burst b = {.conf = conf, .state = BURST_CLAMPED, .spent_ns = 900 * S, .at_ns = 7 * S, .used_ns = S};

	assert_true(burst_due(&b) <= 12 * S);
	burst_sample(&b, 12 * S, 6 * S, 0);
	assert_int_equal(b.state, BURST_CLAMPED);
	assert_int_equal(b.spent_ns, 900 * S);
	burst_sample(&b, 17 * S, 6 * S + 100 * MS, 0);
	assert_int_equal(b.spent_ns, 895 * S);
}

static void changed_live(void **s)
{
	struct burst_conf c = conf;
	struct sim m;

	begin(&m, &conf);
	until(&m, 100, true);
	c.cap = 80;
	burst_conf(&m.b, &c); /* another cap is no pardon */
	assert_int_equal(burst_effective(&m.b), 25);
	c.limit_ns = 10 * S;
	burst_conf(&m.b, &c);
	assert_int_equal(burst_effective(&m.b), 80);
	m.due = burst_due(&m.b);
	about(until(&m, 100, true), 5 * S, 400 * MS);
	c.limit_ns = 0;
	burst_conf(&m.b, &c);
	assert_int_equal(burst_effective(&m.b), 80);
	c.limit_ns = 3 * S;
	burst_conf(&m.b, &c);
	assert_int_equal(burst_effective(&m.b), 25);
	c.cap = 0;
	c.limit_ns = 0;
	burst_conf(&m.b, &c);
	assert_int_equal(burst_effective(&m.b), 0);
}

static void the_file(void **s)
{
	struct { struct twin head; struct burst rec[2]; } f = {0};
	struct burst b = {.spent_ns = 7, .state = BURST_CLAMPED}, got;

	assert_true(twin_get(&f.head, sizeof f, BURST_MAGIC, &got, sizeof got) < 0);
	twin_put(&f.head, BURST_MAGIC, &b, sizeof b);
	assert_int_equal(twin_get(&f.head, sizeof f, BURST_MAGIC, &got, sizeof got), 0);
	assert_memory_equal(&b, &got, sizeof b);
	assert_true(twin_get(&f.head, sizeof f - 1, BURST_MAGIC, &got, sizeof got) < 0);
	assert_true(twin_get(&f.head, sizeof f, BURST_MAGIC + 1, &got, sizeof got) < 0);
	/* killed while it writes the other */
	memset(&f.rec[(f.head.turn + 1) & 1], 0xff, sizeof b);
	assert_int_equal(twin_get(&f.head, sizeof f, BURST_MAGIC, &got, sizeof got), 0);
	assert_memory_equal(&b, &got, sizeof b);
	b.spent_ns = 8;
	twin_put(&f.head, BURST_MAGIC, &b, sizeof b);
	twin_get(&f.head, sizeof f, BURST_MAGIC, &got, sizeof got);
	assert_int_equal(got.spent_ns, 8);
	f.head.size++;
	assert_true(twin_get(&f.head, sizeof f, BURST_MAGIC, &got, sizeof got) < 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(clamped_and_back), cmocka_unit_test(earns_while_it_runs_below), cmocka_unit_test(second_for_second),
		cmocka_unit_test(below_never_spends), cmocka_unit_test(idle_is_left_alone), cmocka_unit_test(without_a_worker),
		cmocka_unit_test(clamp_taken_off), cmocka_unit_test(changed_live), cmocka_unit_test(the_file),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
