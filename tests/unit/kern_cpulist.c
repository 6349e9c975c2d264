/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kern/cpulist.h"

static void texts(void **s)
{
	static const char *const same[] = {"", "0", "7", "0-3", "0,2-3,8", "63-64", "1023", "0-1023"};
	static const struct {
		const char *in, *out;
	} also[] = {{"3-3", "3"}, {"1,0", "0-1"}, {"0-2,1-4\n", "0-4"}, {"\n", ""}};
	static const char *const bad[] = {"x", "1-", "-1", "2-1", "1,", ",1", "1,,2", "1 2", "1-2-3", "1;", "1,\n"};
	static const char *const far[] = {"1024", "0-1024", "99999999999999999999999"};
	char t[CPUS_TEXT];
	struct cpus c;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		assert_int_equal(cpus_parse(same[i], &c), 0);
		assert_string_equal(cpus_text(&c, t), same[i]);
	}
	for (size_t i = 0; i < sizeof also / sizeof *also; i++) {
		assert_int_equal(cpus_parse(also[i].in, &c), 0);
		assert_string_equal(cpus_text(&c, t), also[i].out);
	}
	cpus_parse("5", &c);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(cpus_parse(bad[i], &c), -EINVAL);
	for (size_t i = 0; i < sizeof far / sizeof *far; i++)
		assert_int_equal(cpus_parse(far[i], &c), -ERANGE);
	assert_string_equal(cpus_text(&c, t), "5");
}

static void sets(void **s)
{
	char t[CPUS_TEXT];
	struct cpus a, b, c;

	cpus_parse("0-7,64", &a);
	cpus_parse("4-9", &b);
	c = cpus_and(&a, &b);
	assert_string_equal(cpus_text(&c, t), "4-7");
	c = cpus_or(&a, &b);
	assert_string_equal(cpus_text(&c, t), "0-9,64");
	c = cpus_less(&a, &b);
	assert_string_equal(cpus_text(&c, t), "0-3,64");
	assert_int_equal(cpus_count(&c), 5);
	assert_true(cpus_has(&c, 64) && !cpus_has(&c, 4) && !cpus_has(&c, 100000));
	c = cpus_last(&a, 2);
	assert_string_equal(cpus_text(&c, t), "7,64");
	c = cpus_last(&a, 100);
	assert_true(cpus_equal(&c, &a));
	c = cpus_from(&a, 2, 0);
	assert_string_equal(cpus_text(&c, t), "0-1");
	c = cpus_from(&a, 3, 7);
	assert_string_equal(cpus_text(&c, t), "0,7,64");
	c = cpus_from(&a, 1, 65);
	assert_string_equal(cpus_text(&c, t), "0");
	c = cpus_from(&a, 1, CPUS_MAX + 3);
	assert_string_equal(cpus_text(&c, t), "3");
	c = cpus_from(&a, 0, 3);
	assert_int_equal(cpus_count(&c), 0);
	c = cpus_from(&a, 100, 5);
	assert_true(cpus_equal(&c, &a));
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(texts), cmocka_unit_test(sets)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
