/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/unsynced.h"

/* The number of the first that is not as it should be. */
static int child(void)
{
	if (fsync(-1) != -1 || errno != EBADF)
		return 1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || unsynced() < 0)
		return 2;
#if defined(__x86_64__) || defined(__aarch64__)
	if (fsync(-1) || fdatasync(-1) || syncfs(-1) || sync_file_range(-1, 0, 0, 0))
		return 3;
#endif
	if (close(-1) != -1 || errno != EBADF || ftruncate(-1, 0) != -1)
		return 4;
	return getpid() > 0 ? 0 : 5;
}

static void flushes_succeed_and_nothing_else_changes(void **state)
{
	int status;
	pid_t p = fork();

	if (p == 0)
		_exit(child());
	assert_true(p > 0);
	assert_int_equal(waitpid(p, &status, 0), p);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(flushes_succeed_and_nothing_else_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
