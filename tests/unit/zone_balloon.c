/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "zone/balloon.h"

#define MIB    (1ULL << 20)
#define SECOND 1000000000ULL

static int said(const char *line, struct balloon_says *s)
{
	return balloon_read(line, strlen(line), s);
}

static void lines(void **state)
{
	struct balloon_says s = BALLOON_SILENT;

	assert_int_equal(said("{\"return\": {\"base-memory\": 201326592, \"plugged-memory\": 0}}\r", &s), 0);
	assert_int_equal(said("{\"return\": {\"actual\": 100}}", &s), 0);
	assert_int_equal(said("{\"return\": {\"stats\": {\"stat-swap-out\": 18446744073709551615, \"stat-available-memory\": 77, \"stat-free-memory\": 60, "
			      "\"stat-total-memory\": 99, \"stat-swap-in\": 3, \"stat-major-faults\": 5}, \"last-update\": 1700000000}}", &s), 0);
	assert_int_equal(s.base, 201326592);
	assert_int_equal(s.plugged, 0);
	assert_int_equal(s.actual, 100);
	assert_int_equal(s.available, 77);
	assert_int_equal(s.free, 60);
	assert_int_equal(s.total, 99);
	assert_int_equal(s.swap_in, 3);
	assert_int_equal(s.major_faults, 5);
	assert_int_equal(s.updated, 1700000000);
	assert_int_equal(said("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"BALLOON_CHANGE\", \"data\": {\"actual\": 42}}", &s), 1);
	assert_int_equal(s.actual, 42);
	assert_int_equal(said("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}", &s), 0);
	assert_int_equal(said("{\"timestamp\": {}, \"event\": \"RESET\", \"data\": {\"actual\": 7}}", &s), -ENOMSG);
	assert_int_equal(said("{\"return\": {\"actual\": 99999999999999999999999}}", &s), 0);
	assert_int_equal(said("{\"return\": {\"actual\": -5}}", &s), 0);
	assert_int_equal(said("{\"return\": {\"actual\": \"8\"}}", &s), 0);
	assert_int_equal(said("{\"return\": {\"actual\":", &s), 0);
	assert_int_equal(s.actual, 42);
}

/* A guest and its host; each turn the guest says something new and its balloon is where it was asked to be. */
struct world {
	struct balloon b;
	struct balloon_says s;
	struct balloon_host h;
	uint64_t now, used; /* by the guest */
	bool lazy;          /* its balloon does not move */
};

static struct world world(void)
{
	return (struct world){.b = {.floor = 64 * MIB, .below = 15},
			      .s = {256 * MIB, 0, 256 * MIB, 256 * MIB, 0, 0, 0, 0, 100},
			      .h = {.total = 10000 * MIB, .available = 1000 * MIB}, .now = 1000 * SECOND, .used = 40 * MIB};
}

static uint64_t turn(struct world *w, unsigned seconds)
{
	uint64_t has = w->s.actual;

	w->now += seconds * SECOND;
	w->s.updated += seconds;
	w->s.available = has + (w->s.plugged == BALLOON_UNKNOWN ? 0 : w->s.plugged) > w->used ? has + w->s.plugged - w->used : 0;
	balloon_step(&w->b, &w->s, &w->h, w->now);
	if (!w->lazy)
		w->s.actual = w->s.base - w->b.want;
	return w->b.want;
}

static uint64_t turns(struct world *w, unsigned n)
{
	uint64_t want = 0;

	while (n--)
		want = turn(w, 2);
	return want;
}

static void takes(void **state)
{
	struct world w = world();
	uint64_t want;

	assert_int_equal(turn(&w, 2), 0); /* nothing to compare with yet */
	want = turn(&w, 2);
	assert_true(want > 0 && want <= 64 * MIB); /* a quarter at a time */
	want = turns(&w, 50);
	/* what is in use and a head's room, twice over, stays */
	assert_true(want >= 140 * MIB && want <= 256 * MIB - 40 * MIB - 60 * MIB);
	/* a small guest, with much less in use than it has a right to */
	w = world();
	w.used = 0;
	w.b.floor = 200 * MIB;
	assert_int_equal(turns(&w, 50), 56 * MIB);
	/* as much as it has reserved, or off */
	w.b.floor = 256 * MIB;
	assert_int_equal(turn(&w, 2), 0);
	w.b.floor = 0;
	assert_int_equal(turns(&w, 5), 0);
	/* what was added counts */
	w = world();
	w.s.plugged = 256 * MIB;
	w.b.floor = 400 * MIB;
	assert_int_equal(turns(&w, 50), 112 * MIB);
}

static void host(void **state)
{
	struct world w = world();

	w.h.available = 1600 * MIB;
	assert_int_equal(turns(&w, 20), 0);
	/* where processes wait for memory it is short sooner; not where most of it is free */
	w.h.stalled = 2000;
	assert_true(turns(&w, 3) > 0);
	w.h.available = 4000 * MIB;
	assert_int_equal(turns(&w, 1), 0);
	assert_int_equal(turns(&w, 20), 0);
	w.h.stalled = 0;
	w.h.available = 1000 * MIB;
	assert_true(turns(&w, 3) > 0);
	w.h.available = 1700 * MIB; /* neither short nor not */
	assert_true(turns(&w, 3) > 0);
	w.h.available = 2100 * MIB;
	assert_int_equal(turns(&w, 1), 0);
	w.b.below = 0;
	w.h.available = 0;
	assert_int_equal(turns(&w, 20), 0);
	w.b.below = 100;
	w.h.available = 9900 * MIB;
	assert_true(turns(&w, 20) > 0);
}

static void guest(void **state)
{
	struct world w = world();
	uint64_t first;

	assert_true(turns(&w, 50) > 100 * MIB);
	/* it needs what it has: all of it at once, and for a while it is left alone */
	w.used = 100 * MIB;
	assert_int_equal(turn(&w, 2), 0);
	w.used = 40 * MIB;
	assert_int_equal(turns(&w, 29), 0);
	assert_true(turns(&w, 10) > 0);
	/* the second time for longer */
	w.s.swap_in += 2 * MIB;
	assert_int_equal(turn(&w, 2), 0);
	assert_int_equal(turns(&w, 59), 0);
	assert_true(turns(&w, 10) > 0);
	w.s.major_faults += 1000;
	assert_int_equal(turn(&w, 2), 0);
	assert_int_equal(turns(&w, 119), 0);
	assert_true(turns(&w, 50) > 100 * MIB);
	/* it has helped itself */
	w.s.actual += 40 * MIB;
	assert_int_equal(turn(&w, 2), 0);
	/* it begins anew */
	assert_true(turns(&w, 300) > 100 * MIB);
	balloon_reset(&w.b, w.now);
	assert_int_equal(w.b.want, 0);
	w.s.actual = w.s.base;
	assert_int_equal(turns(&w, 29), 0);
	/* one that says nothing new is asked for no more */
	w = world();
	first = turns(&w, 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(balloon_step(&w.b, &w.s, &w.h, w.now += 2 * SECOND), first);
}

static void enemy(void **state)
{
	struct world w = world();

	/* its balloon does not move */
	w.lazy = true;
	assert_true(turns(&w, 2) > 0);
	assert_true(turns(&w, 20) > 0);
	assert_int_equal(turns(&w, 20), 0);
	assert_int_equal(turns(&w, 200), 0);
	/* it has more than there is, or none */
	w = world();
	turn(&w, 2);
	for (int i = 0; i < 100; i++) {
		w.s.available = UINT64_MAX - 1;
		w.s.updated++;
		assert_true(balloon_step(&w.b, &w.s, &w.h, w.now += SECOND) <= 192 * MIB);
		w.s.actual = w.s.base - w.b.want;
	}
	assert_int_equal(w.b.want, 192 * MIB);
	w.s.available = 0;
	w.s.updated++;
	assert_int_equal(balloon_step(&w.b, &w.s, &w.h, w.now), 0);
	/* nor has its monitor a size */
	w = world();
	w.s.base = UINT64_MAX - 1;
	assert_int_equal(turns(&w, 10), 0);
	w = world();
	w.s.actual = UINT64_MAX - 1;
	w.s.available = 1;
	assert_int_equal(balloon_step(&w.b, &w.s, &w.h, w.now), 0);
	/* a guest without a driver */
	w = world();
	for (int i = 0; i < 10; i++) {
		w.s.available = w.s.free = BALLOON_UNKNOWN;
		w.s.updated++;
		assert_int_equal(balloon_step(&w.b, &w.s, &w.h, w.now += SECOND), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(takes), cmocka_unit_test(host), cmocka_unit_test(guest), cmocka_unit_test(enemy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
