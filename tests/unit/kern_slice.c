/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/slice.h"

static void more_shares_shorter_slice(void **state)
{
	assert_int_equal(slice_of_shares(0), 0);
	assert_int_equal(slice_of_shares(100), 0);
	assert_int_equal(slice_of_shares(101), 693069);
	assert_int_equal(slice_of_shares(140), 500000);
	assert_int_equal(slice_of_shares(234), 300000);
	assert_int_equal(slice_of_shares(65535), 300000);
	assert_int_equal(slice_of_shares(UINT64_MAX), 300000);
}

static uint64_t asks(void)
{
	uint64_t a[7] = {0};

	assert_int_equal(syscall(SYS_sched_getattr, 0, a, sizeof a, 0), 0);
	return a[3];
}

static void set_and_taken_back(void **state)
{
	uint64_t plain = asks();
	int r = slice_set(0, 300000);

	if (plain == 0) {
		assert_int_equal(r, -EOPNOTSUPP);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(asks(), 300000);
	assert_int_equal(slice_set_all(getpid(), 400000), 0);
	assert_int_equal(asks(), 400000);
	assert_int_equal(slice_set_all(getpid(), 0), 0);
	assert_true(asks() >= 700000);
	assert_int_equal(slice_set(0x7ffffff0, 300000), -ESRCH);
	assert_int_equal(slice_set_all(0x7ffffff0, 300000), 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(more_shares_shorter_slice), cmocka_unit_test(set_and_taken_back)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
