/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "unpack/name.h"

static void clean(void **s)
{
	char out[PATH_MAX], deep[2 * NAME_DEPTH_MAX + 10] = "", part[300];

	assert_null(name_clean("./a//b/./c/", out));
	assert_string_equal(out, "a/b/c");
	assert_null(name_clean(".", out));
	assert_string_equal(out, "");
	assert_null(name_clean("..a/b..", out));
	assert_non_null(name_clean("/a", out));
	assert_non_null(name_clean("..", out));
	assert_non_null(name_clean("a/..", out));
	assert_non_null(name_clean("a/../b", out));
	assert_non_null(name_clean("", out));
	memset(part, 'x', 256);
	part[256] = 0;
	assert_non_null(name_clean(part, out));
	part[255] = 0;
	assert_null(name_clean(part, out));
	for (int i = 0; i < NAME_DEPTH_MAX; i++)
		strcat(deep, "d/");
	assert_null(name_clean(deep, out));
	strcat(deep, "d/");
	assert_non_null(name_clean(deep, out));
}

static void leaves(void **s)
{
	assert_false(name_link_leaves("a/b", "../c"));
	assert_true(name_link_leaves("a/b", "../../c"));
	assert_true(name_link_leaves("b", ".."));
	assert_false(name_link_leaves("b", "/etc/passwd"));
	assert_true(name_link_leaves("a/b", "/../etc"));
	assert_false(name_link_leaves("a/b/c", "x/../../.."));
	assert_true(name_link_leaves("a/b/c", "x/../../../.."));
}

static void whiteouts(void **s)
{
	bool opaque, bad;

	assert_null(name_whiteout("wh.x", &opaque, &bad));
	assert_string_equal(name_whiteout(".wh.x", &opaque, &bad), "x");
	assert_false(opaque || bad);
	assert_non_null(name_whiteout(".wh..wh..opq", &opaque, &bad));
	assert_true(opaque);
	assert_non_null(name_whiteout(".wh.", &opaque, &bad));
	assert_true(bad);
	assert_non_null(name_whiteout(".wh...", &opaque, &bad));
	assert_true(bad);
	assert_non_null(name_whiteout(".wh..", &opaque, &bad));
	assert_true(bad);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(clean), cmocka_unit_test(leaves), cmocka_unit_test(whiteouts)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
