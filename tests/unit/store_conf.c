/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/pool_conf.h"

static void whole(void **state)
{
	struct pool_conf p;

	assert_int_equal(pool_conf_parse("version=1\n# by hand\ndriver=btrfs\nkind=devices\nfsid=20979d04-3c90-4647-b033-f1a72c4a3007\n"
					 "node=web\nquota=simple\nmirror=yes\nstate=destroying\nsize=4096\nbacking=/dev/a\nbacking=/dev/b=c\n",
					 &p, NULL), 0);
	assert_string_equal(p.driver, "btrfs");
	assert_int_equal(p.kind, POOL_DEVICES);
	assert_int_equal(p.state, POOL_DESTROYING);
	assert_true(p.mirror);
	assert_int_equal(p.size, 4096);
	assert_int_equal(p.ndevs, 2);
	assert_string_equal(p.dev[1], "/dev/b=c");
	assert_string_equal(p.node, "web");
	assert_string_equal(p.quota, "simple");
}

static void defaults(void **state)
{
	struct pool_conf p;

	assert_int_equal(pool_conf_parse("driver=btrfs\n", &p, NULL), 0);
	assert_int_equal(p.state, POOL_ONLINE);
	assert_int_equal(p.ndevs, 0);
	assert_false(p.mirror);
}

static void refused(void **state)
{
	static const char *const bad[] = {"", "driver", "driver=btrfs\nfsid=../../etc", "driver=btrfs\nkind=tape", "driver=btrfs\nstate=",
		"driver=btrfs\nsize=-1", "driver=btrfs\nsize=99999999999999999999", "driver=btrfs\nbacking=pool.img",
		"driver=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "driver=btrfs\nquota=everything", "driver=btrfs\ncolour=blue", "=", "driver="};
	struct pool_conf p = {.size = 7};
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = ERR_INIT;
		assert_int_equal(pool_conf_parse(bad[i], &p, &e), -EINVAL);
		assert_true(e.msg[0]);
		assert_int_equal(p.size, 7); /* untouched */
	}
	e = ERR_INIT;
	assert_int_equal(pool_conf_parse("version=2\ndriver=btrfs\n", &p, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "newer"));
}

static void many(void **state)
{
	char text[2048] = "driver=btrfs\n";
	struct pool_conf p;

	for (int i = 0; i < POOL_DEVS_MAX; i++)
		strcat(text, "backing=/dev/x\n");
	assert_int_equal(pool_conf_parse(text, &p, NULL), 0);
	strcat(text, "backing=/dev/x\n");
	assert_int_equal(pool_conf_parse(text, &p, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(whole), cmocka_unit_test(defaults), cmocka_unit_test(refused), cmocka_unit_test(many)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
