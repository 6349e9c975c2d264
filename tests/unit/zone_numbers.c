/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/numbers.h"

static void round_trip(void **state)
{
	struct zone_numbers n = {.mono_ns = 123456789, .host = {.cpus = 2, .mem_total = 1 << 30, .load = {12, 34, 56}}}, back;
	struct buf b = BUF_INIT;

	for (int i = 0; i < CGV_COUNT; i++)
		n.v[i] = i % 3 == 0 ? CGV_UNKNOWN : (uint64_t)i * 1000003;
	n.v[CGV_CPU_QUOTA] = CGV_NONE;
	for (int i = 0; i < 24; i++)
		n.host.pressure[i] = i % 2 ? CGV_UNKNOWN : (uint64_t)i;
	numbers_write(&n, &b);
	assert_true(b.len < NUMBERS_MAX);
	assert_int_equal(numbers_parse(b.p, b.len, &back), 0);
	assert_memory_equal(back.v, n.v, sizeof n.v);
	assert_memory_equal(&back.host, &n.host, sizeof n.host);
	assert_true(back.mono_ns == n.mono_ns);
	buf_done(&b);
}

static void largest(void **state)
{
	struct zone_numbers n = {.mono_ns = 1, .host = {.cpus = 65536}};
	struct buf b = BUF_INIT;

	/* below the numbers that stand for none */
	for (int i = 0; i < CGV_COUNT; i++)
		n.v[i] = CGV_NONE - 1;
	for (int i = 0; i < 24; i++)
		n.host.pressure[i] = CGV_NONE - 1;
	numbers_write(&n, &b);
	assert_true(b.len < NUMBERS_MAX);
	buf_done(&b);
}

static void others(void **state)
{
	static const char t[] = "numbers 1\ntime 5\nhost_cpus 4\nof_later_versions 1 2 3\nmemory 7\nmemory_cap max\ncut off";
	struct zone_numbers n = {.cpus = 99};

	assert_int_equal(numbers_parse(t, sizeof t - 1, &n), 0);
	assert_true(n.host.cpus == 4 && n.v[CGV_MEM] == 7 && n.v[CGV_MEM_CAP] == CGV_NONE && n.v[CGV_CPU] == CGV_UNKNOWN);
	assert_true(numbers_parse("numbers 2\ntime 5\nhost_cpus 4\n", 29, &n) < 0);
	assert_true(numbers_parse("numbers 1\nhost_cpus 4\n", 22, &n) < 0);
	assert_true(numbers_parse("", 0, &n) < 0);
	assert_true(n.host.cpus == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(largest), cmocka_unit_test(others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
