/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "node/rtc.h"

#define HEAD "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define RULE(text, out) rtc_rule(HEAD text, sizeof(HEAD text) - 1, out)

static void rules(void **s)
{
	char out[RTC_RULE] = "before";

	assert_int_equal(RULE("TZif2…data\nCET-1CEST,M3.5.0,M10.5.0/3\n", out), 0);
	assert_string_equal(out, "CET-1CEST,M3.5.0,M10.5.0/3");
	assert_int_equal(RULE("\n<+0330>-3:30\n", out), 0);
	assert_string_equal(out, "<+0330>-3:30");
	strcpy(out, "before");
	assert_int_equal(RULE("\n\n", out), -EBADMSG);
	assert_int_equal(RULE("\nUTC0", out), -EBADMSG);
	assert_int_equal(RULE("UTC0\n", out), -EBADMSG); /* not behind a line's end */
	assert_int_equal(RULE("\nUTC 0\n", out), -EBADMSG);
	assert_int_equal(RULE("\nUTC0\0\n", out), -EBADMSG);
	assert_int_equal(RULE("\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", out), -EBADMSG);
	assert_int_equal(rtc_rule("TZif\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nUTC0\n", 59, out), -EBADMSG); /* the first version has no rule */
	assert_int_equal(rtc_rule("TZif2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nUTC0\n", 59, out), 0);
	strcpy(out, "before");
	assert_int_equal(rtc_rule("", 0, out), -EBADMSG);
	assert_string_equal(out, "before");
}

static void zones(void **s)
{
	char out[RTC_RULE] = "before";
	struct err e = ERR_INIT;
	json_t *rec = json_object();

	assert_int_equal(rtc_zone(rec, out, &e), 0);
	assert_string_equal(out, "");
	json_object_set_new(rec, "rtc", json_string("Nowhere/Atlantis"));
	strcpy(out, "before");
	assert_int_equal(rtc_zone(rec, out, &e), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(out, "before");
	json_decref(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(zones)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
