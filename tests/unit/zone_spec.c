/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/spec.h"

static void round_trip(void **state)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo \"a\tb\nc\\d\"", (char *)"", NULL};
	char *lower[] = {(char *)"/l/1", (char *)"/l/2", NULL};
	struct zmount m[] = {{.kind = ZM_TMPFS, .target = (char *)"/tmp", .data = (char *)"size=1m", .flags = ZM_NODEV},
			     {.kind = ZM_BIND, .source = (char *)"/usr", .target = (char *)"/usr", .flags = ZM_RO | ZM_LIVE}};
	struct zdev d = {.name = (char *)"net/tun", .type = 'c', .major = 10, .minor = 200, .mode = 0666};
	struct zfile f = {.path = (char *)"/etc/motd", .mode = 0644, .text = (char *)"hello\n\tyou\\n"};
	struct zsysctl s = {.name = (char *)"kernel/shmmax", .value = (char *)"18446744073709551615"};
	struct zspec z = {
		.uuid = (char *)"u", .id_base = 4294901760u, .caps = UINT64_MAX, .shared = true, .lower = lower,
		.argv = argv, .mounts = m, .nmounts = 2, .devs = &d, .ndevs = 1, .files = &f, .nfiles = 1,
		.sysctls = &s, .nsysctls = 1, .log_max = UINT64_MAX,
	};
	struct zspec y = {0};
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	zspec_write(&z, &b);
	assert_int_equal(zspec_parse(buf_str(&b), b.len, &y, &e), 0);
	assert_string_equal(y.uuid, "u");
	assert_null(y.zonename);
	assert_true(y.id_base == z.id_base && y.caps == z.caps && y.shared && y.log_max == UINT64_MAX);
	for (int i = 0; i < 5; i++)
		assert_true(!argv[i] ? !y.argv[i] : !strcmp(argv[i], y.argv[i]));
	assert_string_equal(y.lower[1], "/l/2");
	assert_null(y.lower[2]);
	assert_int_equal(y.nmounts, 2);
	assert_null(y.mounts[0].source);
	assert_string_equal(y.mounts[0].data, "size=1m");
	assert_int_equal(y.mounts[1].flags, ZM_RO | ZM_LIVE);
	assert_true(y.devs[0].major == 10 && y.devs[0].minor == 200 && y.devs[0].mode == 0666 && y.devs[0].type == 'c');
	assert_string_equal(y.files[0].text, f.text);
	assert_string_equal(y.sysctls[0].value, s.value);
	zspec_done(&y);
	buf_done(&b);
}

static void many(void **state)
{
	struct buf b = BUF_INIT;
	struct zspec y = {0};

	for (int i = 0; i < 100; i++)
		buf_printf(&b, "env\tA%d=1\nfile\t644\t/f%d\tx\n", i, i);
	assert_int_equal(zspec_parse(buf_str(&b), b.len, &y, NULL), 0);
	assert_string_equal(y.env[99], "A99=1");
	assert_null(y.env[100]);
	assert_int_equal(y.nfiles, 100);
	assert_string_equal(y.files[99].path, "/f99");
	zspec_done(&y);
	buf_done(&b);
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"colour\tred\n", "uuid\ta\nuuid\tb\n", "uuid\ta", "uuid\n", "uuid\ta\tb\n", "uuid\ta\\x\n", "uuid\ta\\\n",
		"zoneid\t-1\n", "zoneid\t1x\n", "zoneid\t18446744073709551616\n", "id_base\t4294967296\n", "shared\t2\n",
		"mount\t5\t0\t\\0\t/a\t\\0\t\\0\n", "mount\t0\t512\t\\0\t/a\t\\0\t\\0\n", "mount\t0\t0\t/a\t\\0\t\\0\t\\0\n",
		"dev\tx\t1\t1\t644\ta\n", "dev\tc\t1\t1\t999\ta\n", "file\t644\t/a\n", "sysctl\ta\n", "\n", "\t\n",
		"a\t1\t2\t3\t4\t5\t6\t7\t8\t9\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct zspec z = {.uuid = (char *)"untouched"};
		struct err e = ERR_INIT;

		assert_true(zspec_parse(bad[i], strlen(bad[i]), &z, &e) < 0);
		assert_true(e.code > 0 && *e.msg);
		assert_string_equal(z.uuid, "untouched");
	}
	assert_int_equal(zspec_parse("a\0b\n", 4, &(struct zspec){0}, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(round_trip), cmocka_unit_test(many), cmocka_unit_test(refused)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
