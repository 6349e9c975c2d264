/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/passwd.h"

static const char db[] = "root:x:0:0:root:/root:/bin/bash\n"
			 "broken:x:1\n"
			 "big:x:65536:0::/:/bin/sh\n"
			 "neg:x:-1:0::/:/bin/sh\n"
			 "esc:x:7:7:\033[2J:/:/bin/sh\n"
			 "web:x:1000:100:Web,,,:/home/web:\n"
			 "rel:x:1001:100::home:bin/sh\n"
			 "1000:x:1002:100::/n:/bin/n\n"
			 "web:x:0:0::/root:/bin/sh\n"
			 "last:x:1003:1003::/l:/bin/l";
static const char gr[] = "root:x:0:\nadm:x:4:web,other\nbad:x:4294967296:web\nusers:x:100:web\n"
			 "sudo:x:27:x,web\nagain:x:27:web\nwebs:x:28:webs";

static int find(const char *name, struct passwd_user *u)
{
	return passwd_user(db, sizeof db - 1, name, u);
}

static void users(void **state)
{
	struct passwd_user u;

	assert_int_equal(find("root", &u), 0);
	assert_string_equal(u.shell, "/bin/bash");
	assert_int_equal(find("web", &u), 0); /* the first line counts */
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 100);
	assert_string_equal(u.shell, "/bin/sh");
	assert_int_equal(find("rel", &u), 0);
	assert_string_equal(u.home, "/");
	assert_string_equal(u.shell, "/bin/sh");
	assert_int_equal(find("last", &u), 0); /* no newline at the end */
	assert_string_equal(u.shell, "/bin/l");
}

static void numbers(void **state)
{
	struct passwd_user u;

	assert_int_equal(find("1001", &u), 0);
	assert_string_equal(u.name, "rel");
	assert_int_equal(find("1000", &u), 0); /* a name before a number */
	assert_int_equal(u.uid, 1002);
	assert_int_equal(find("65536", &u), -ENOENT);
}

static void bad(void **state)
{
	static const char *const name[] = {"broken", "big", "neg", "esc", "", "roo", "root:x", "web\n"};
	struct passwd_user u;

	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		assert_int_equal(find(name[i], &u), -ENOENT);
	assert_int_equal(passwd_user("", 0, "root", &u), -ENOENT);
	assert_int_equal(passwd_user("root:x:0:0:\0:/:/bin/sh\n", 23, "root", &u), -ENOENT);
}

static void groups(void **state)
{
	gid_t g[8], one;

	assert_int_equal(passwd_groups(gr, sizeof gr - 1, "web", 100, g, 8), 3);
	assert_int_equal(g[0], 100);
	assert_int_equal(g[1], 4);
	assert_int_equal(g[2], 27);
	assert_int_equal(passwd_groups(gr, sizeof gr - 1, "web", 100, g, 2), 2);
	assert_int_equal(passwd_groups(gr, sizeof gr - 1, "webs", 5, g, 8), 2);
	assert_int_equal(passwd_group(gr, sizeof gr - 1, "sudo", &one), 0);
	assert_int_equal(one, 27);
	assert_int_equal(passwd_group(gr, sizeof gr - 1, "77", &one), 0);
	assert_int_equal(one, 77);
	assert_int_equal(passwd_group(gr, sizeof gr - 1, "none", &one), -ENOENT);
}

static void hosts(void **state)
{
	static const char text[] = "127.0.0.1 localhost\n# 127.0.1.1 web01\n127.0.1.1\tweb01.local\tWEB02 # web03\nweb04\n10.0.0.1 web05";

	assert_true(passwd_host(text, sizeof text - 1, "localhost"));
	assert_true(passwd_host(text, sizeof text - 1, "web01.local"));
	assert_true(passwd_host(text, sizeof text - 1, "web02"));
	assert_true(passwd_host(text, sizeof text - 1, "web05"));
	assert_false(passwd_host(text, sizeof text - 1, "web01"));
	assert_false(passwd_host(text, sizeof text - 1, "web03"));
	assert_false(passwd_host(text, sizeof text - 1, "web04"));
	assert_false(passwd_host(text, sizeof text - 1, "10.0.0.1"));
	assert_false(passwd_host("", 0, "x"));
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(users), cmocka_unit_test(numbers), cmocka_unit_test(bad),
				       cmocka_unit_test(groups), cmocka_unit_test(hosts)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
