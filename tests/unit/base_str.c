/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"

static void numbers(void **s)
{
	uint64_t v = 7;
	int64_t i;

	assert_int_equal(str_to_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_to_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(str_to_u64("-1", &v), -EINVAL);
	assert_int_equal(str_to_u64("", &v), -EINVAL);
	assert_int_equal(str_to_i64("-9223372036854775808", &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(str_to_i64("9223372036854775808", &i), -ERANGE);
}

static void sizes(void **s)
{
	uint64_t v;
	char t[16];

	assert_int_equal(str_to_bytes("1.5K", &v), 0);
	assert_int_equal(v, 1536);
	assert_int_equal(str_to_bytes("2GiB", &v), 0);
	assert_int_equal(v, 2ULL << 30);
	assert_int_equal(str_to_bytes("12", &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(str_to_bytes("0x10", &v), -EINVAL);
	assert_int_equal(str_to_bytes("1.2.3G", &v), -EINVAL);
	assert_int_equal(str_to_bytes("G", &v), -EINVAL);
	assert_string_equal(str_from_bytes(1536, t), "1.5K");
	assert_string_equal(str_from_bytes(10ULL << 30, t), "10G");
}

static void uuids(void **s)
{
	char u[UUID_LEN + 1];

	uuid_make(u);
	assert_true(uuid_valid(u));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000"));
	assert_false(uuid_valid("00000000-0000-0000-0000-00000000000G"));
	assert_false(uuid_valid("ABCDEF00-0000-0000-0000-000000000000"));
	assert_int_equal(str_distance("max_lwp", "max_lwps"), 1);
}

static void addresses(void **state)
{
	char t[STR_IP];

	assert_string_equal(str_ip("10.0.0.1/24", t), "10.0.0.1");
	assert_string_equal(str_ip("FD00:0:0::0001/64", t), "fd00::1");
	assert_string_equal(str_ip("fd00::1", t), "fd00::1");
	assert_string_equal(str_ip("dhcp", t), "dhcp");
	assert_string_equal(str_ip("10.0.0.1.2/8", t), "10.0.0.1.2");
}

static void times(void **s)
{
	char t[CLOCK_TEXT];
	uint64_t ns;

	assert_string_equal(clock_iso(1700000000123000000ULL, t), "2023-11-14T22:13:20.123Z");
	assert_int_equal(clock_parse_iso(t, &ns), 0);
	assert_true(ns == 1700000000123000000ULL);
	/* each day from 1970 to 2553, and its last second, as the C library has it */
	for (uint64_t day = 0; day < 213500; day++) {
		time_t at = (time_t)(day * 86400 + (day & 1 ? 86399 : 0));
		char want[40];
		struct tm tm;

		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&at, &tm));
		assert_string_equal(clock_iso((uint64_t)at * 1000000000ULL, t), want);
		assert_int_equal(clock_parse_iso(t, &ns), 0);
		assert_int_equal(ns, (uint64_t)at * 1000000000ULL);
	}
	assert_int_equal(clock_parse_iso("2023-11-14", &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(numbers), cmocka_unit_test(sizes), cmocka_unit_test(uuids), cmocka_unit_test(addresses),
				       cmocka_unit_test(times)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
