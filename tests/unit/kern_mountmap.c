/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/mountmap.h"

static void host_is(const struct mountmap *host, const struct mount_one *m, const char *rest, const char *want)
{
	char *p = mountmap_host(host, m, rest);

	assert_string_equal(p ? p : "(none)", want);
	free(p);
}

static void maps(void **state)
{
	static const char own[] = "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
				  "43 27 0:39 / /zones rw - btrfs /dev/loop0 rw\n"
				  "44 27 0:39 /u/x\\040y /mnt/a rw shared:5 master:1 - btrfs /dev/loop0 rw\n"
				  "45 27 nonsense\n46 27 0:40 / /cut";
	static const char its[] = "104 100 0:39 //deleted /gone rw - btrfs x rw\n"
				  "100 1 0:39 /u/root / rw - btrfs x rw\n"
				  "101 100 0:39 /u/x\\040y/deep /mnt rw - btrfs x rw\n"
				  "102 100 254:0 /usr /usr ro - ext4 x rw\n"
				  "103 100 0:99 / /proc rw - proc x rw\n";
	struct mountmap h, z;

	mountmap_parse(own, sizeof own - 1, &h);
	mountmap_parse(its, sizeof its - 1, &z);
	assert_int_equal(h.n, 3);
	assert_int_equal(z.n, 5);
	assert_string_equal(h.m[2].root, "/u/x y");
	assert_string_equal(h.m[2].fstype, "btrfs");
	assert_null(mountmap_find(&z, 7));
	assert_string_equal(mountmap_below(mountmap_find(&z, 100), "/etc/passwd"), "/etc/passwd");
	assert_string_equal(mountmap_below(mountmap_find(&z, 101), "/mnt/f"), "/f");
	assert_string_equal(mountmap_below(mountmap_find(&z, 101), "/mnt"), "");
	assert_null(mountmap_below(mountmap_find(&z, 101), "/mntx"));
	host_is(&h, mountmap_find(&z, 100), "/etc/passwd", "/zones/u/root/etc/passwd");
	host_is(&h, mountmap_find(&z, 101), "/f", "/mnt/a/deep/f");
	host_is(&h, mountmap_find(&z, 102), "/bin", "/usr/bin");
	host_is(&h, mountmap_find(&z, 102), "", "/usr");
	host_is(&h, mountmap_find(&z, 103), "/1", "(none)");
	mountmap_done(&h);
	mountmap_done(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(maps)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
