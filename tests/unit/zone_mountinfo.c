/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/mountinfo.h"
#include "zone/run.h"

static const char info[] = "22 1 0:20 / / rw shared:1 - overlay x rw\n"
			   "40 22 8:1 /srv/a /data rw shared:2 - ext4 /dev/sda1 rw\n"
			   "41 22 8:1 /srv/a /two\\040words rw - ext4 /dev/sda1 rw\n"
			   "42 22 8:1 /srv/ab /three rw - ext4 /dev/sda1 rw\n"
			   "43 22 8:1";

static void point(void **state)
{
	char out[32];

	assert_int_equal(mountinfo_point(info, 40, out, sizeof out), 0);
	assert_string_equal(out, "/data");
	assert_int_equal(mountinfo_point(info, 41, out, sizeof out), 0);
	assert_string_equal(out, "/two words");
	assert_int_equal(mountinfo_point(info, 4, out, sizeof out), -ENOENT);
	assert_int_equal(mountinfo_point(info, 43, out, sizeof out), -EINVAL);
	assert_int_equal(mountinfo_point(info, 41, out, 4), -EINVAL); /* never a part of the name */
	assert_int_equal(mountinfo_point("", 1, out, sizeof out), -ENOENT);
}

static void tree(void **state)
{
	assert_int_equal(mountinfo_tree(info, info, 40), 2);
	assert_int_equal(mountinfo_tree(info, info, 42), 1);
	assert_int_equal(mountinfo_tree(info, info, 99), 0);
	assert_int_equal(mountinfo_tree("", info, 40), 0);
}

static bool ready(const char *s)
{
	return run_says_ready(s, strlen(s));
}

static void notify(void **state)
{
	assert_true(ready("READY=1"));
	assert_true(ready("READY=1\n"));
	assert_true(ready("STATUS=up\nREADY=1\nMAINPID=1"));
	assert_false(ready(""));
	assert_false(ready("READY=10"));
	assert_false(ready("XREADY=1"));
	assert_false(ready("STATUS=READY=1"));
	assert_false(ready("READY=1 "));
	assert_false(ready("\n\n"));
	assert_true(run_says_ready("a\0b\nREADY=1\n\0", 13));
	assert_false(run_says_ready("READY=1\0", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(point), cmocka_unit_test(tree), cmocka_unit_test(notify)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
