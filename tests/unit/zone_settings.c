/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone/settings.h"

static void values(void **state)
{
	const char *t = "cpu_cap 100\ncpu_cap_max 7\nbad x\nhalf 12x\nsigned -1\nlast 18446744073709551615";

	assert_int_equal(settings_u64(t, "cpu_cap", 1), 100);
	assert_int_equal(settings_u64(t, "cpu_cap_max", 1), 7);
	assert_true(settings_u64(t, "last", 1) == UINT64_MAX);
	assert_int_equal(settings_u64(t, "cpu", 5), 5);
	assert_int_equal(settings_u64(t, "cap", 5), 5);
	assert_int_equal(settings_u64(t, "bad", 5), 5);
	assert_int_equal(settings_u64(t, "half", 5), 5);
	assert_int_equal(settings_u64(t, "signed", 5), 5);
	assert_int_equal(settings_u64("", "cpu_cap", 5), 5);
	assert_int_equal(settings_u64("cpu_cap", "cpu_cap", 5), 5);
	assert_int_equal(settings_u64("cpu_cap ", "cpu_cap", 5), 5);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(values)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
