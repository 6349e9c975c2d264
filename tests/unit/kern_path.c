/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/path.h"

/* A root full of traps beside a secret that nothing may reach. */
struct traps {
	char dir[64];
	int root;
};

static int setup(void **state)
{
	struct traps *t = xalloc(sizeof *t);
	int d;

	strcpy(t->dir, "/tmp/kern_path.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	d = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(d >= 0);
	assert_int_equal(close(openat(d, "secret", O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(mkdirat(d, "root", 0755), 0);
	t->root = openat(d, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mkdirat(t->root, "etc", 0755);
	assert_int_equal(close(openat(t->root, "etc/passwd", O_CREAT | O_WRONLY, 0644)), 0);
	assert_int_equal(symlinkat("/etc", t->root, "abs"), 0);
	assert_int_equal(symlinkat("../../../../../../etc", t->root, "up"), 0);
	assert_int_equal(symlinkat("../secret", t->root, "out"), 0);
	assert_int_equal(symlinkat("/proc/self/root/etc", t->root, "magic"), 0);
	assert_int_equal(symlinkat("/nowhere/at/all", t->root, "dangling"), 0);
	assert_int_equal(symlinkat("loop", t->root, "loop"), 0);
	close(d);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct traps *t = *state;

	close(t->root);
	dir_remove(AT_FDCWD, t->dir, NULL);
	free(t);
	return 0;
}

static void same(int root, const char *a, const char *b)
{
	struct stat sa, sb;
	_fd_ int fd = path_open_in(root, a, O_PATH, 0, NULL);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sa), 0);
	assert_int_equal(fstatat(root, b, &sb, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

static void stays_inside(void **state)
{
	int root = ((struct traps *)*state)->root;
	struct err e = ERR_INIT;

	same(root, "/abs/passwd", "etc/passwd");
	same(root, "up/passwd", "etc/passwd");
	same(root, "/../../..", ".");
	assert_int_equal(path_open_in(root, "out", O_RDONLY, 0, &e), -ENOENT);
	assert_int_equal(path_open_in(root, "magic/passwd", O_RDONLY, 0, NULL), -ENOENT);
	assert_int_equal(path_open_in(root, "loop", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(path_open_nolink(root, "abs/passwd", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(path_open_nolink(root, "abs", O_RDONLY, 0, NULL), -ELOOP);
}

static void no_magic(void **state)
{
	_fd_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(path_open_in(root, "/proc/self/exe", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(path_open_in(root, "/proc/self/cwd/x", O_RDONLY, 0, NULL), -ELOOP);
}

static void makes_folders(void **state)
{
	int root = ((struct traps *)*state)->root;
	struct stat st;
	_fd_ int fd = path_mkdirs_in(root, "/a/b//c/", 0750, 12345, 54321, NULL), in = -1, again = -1;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_uid == 12345 && st.st_gid == 54321 && (st.st_mode & 07777) == 0750);
	same(root, "/a/b/c", "a/b/c");
	again = path_mkdirs_in(root, "a/b/c", 0700, 0, 0, NULL);
	assert_true(again >= 0);
	assert_int_equal(fstat(again, &st), 0);
	assert_int_equal(st.st_uid, 12345);
	in = path_mkdirs_in(root, "up/new", 0755, 0, 0, NULL);
	assert_true(in >= 0);
	same(root, "/etc/new", "etc/new");
	assert_true(path_mkdirs_in(root, "dangling/x", 0755, 0, 0, NULL) < 0);
	assert_true(path_mkdirs_in(root, "etc/passwd/x", 0755, 0, 0, NULL) < 0);
	assert_true(path_mkdirs_in(root, "loop/x", 0755, 0, 0, NULL) < 0);
	assert_int_equal(fstatat(root, "nowhere", &st, 0), -1);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test_setup_teardown(stays_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(no_magic, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_folders, setup, teardown),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
