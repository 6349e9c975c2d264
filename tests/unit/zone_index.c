/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "zone/index.h"

static char dir[64];
static int run;

static int setup(void **state)
{
	strcpy(dir, "/tmp/zone_index.XXXXXX");
	assert_non_null(mkdtemp(dir));
	run = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	close(run);
	dir_remove(AT_FDCWD, dir, NULL);
	return 0;
}

static void uuid_of(unsigned n, char out[40])
{
	snprintf(out, 40, "%08x-0000-4000-8000-000000000000", n);
}

/* A keeper: a process that holds a slot; ends when killed, or when told by its pipe. */
static pid_t keeper(unsigned n, int ready)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct run_zone z = {.bootid = "b", .zoneid = n, .init = {.pid = (pid_t)n}};
		char uuid[40];

		uuid_of(n, uuid);
		if (!index_claim(run, uuid, &z, NULL))
			_exit(1);
		if (write(ready, "x", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	return pid;
}

static int is_running(unsigned n)
{
	struct run_zone z = {0};
	struct index x;
	char uuid[40];
	bool halting = false, r;

	uuid_of(n, uuid);
	index_open(run, &x);
	r = index_running(&x, uuid, &z, &halting);
	index_close(&x);
	if (r)
		assert_int_equal(z.zoneid, n);
	return r ? 1 + halting : 0;
}

static void lives_and_dies(void **state)
{
	enum { N = 150 };
	char uuid[40], c;
	pid_t pid[N];
	int p[2];

	assert_int_equal(is_running(1), 0);
	assert_int_equal(pipe(p), 0);
	for (unsigned i = 0; i < N; i++) {
		pid[i] = keeper(i + 1, p[1]);
		assert_int_equal(read(p[0], &c, 1), 1);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(is_running(i + 1), 1);
	uuid_of(7, uuid);
	index_halting(run, uuid, true);
	assert_int_equal(is_running(7), 2);
	/* The kernel says so, and only of the one that was killed. */
	kill(pid[4], SIGKILL);
	waitpid(pid[4], NULL, 0);
	assert_int_equal(is_running(5), 0);
	assert_int_equal(is_running(6), 1);
	/* Adopted: the same slot again. */
	pid[4] = keeper(5, p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(is_running(5), 1);
	uuid_of(9, uuid);
	index_forget(run, uuid);
	assert_int_equal(is_running(9), 0);
	for (unsigned i = 0; i < N; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		assert_int_equal(is_running(i + 1), 0);
	}
}

static void not_an_index(void **state)
{
	static const char junk[4096] = "junk";
	char path[128];

	snprintf(path, sizeof path, "%s/index", dir);
	assert_int_equal(file_replace(path, junk, sizeof junk, 0600, 0, NULL), 0);
	assert_int_equal(is_running(1), 0);
	assert_int_equal(file_replace(path, "x", 1, 0600, 0, NULL), 0);
	assert_int_equal(is_running(1), 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test_setup_teardown(lives_and_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(not_an_index, setup, teardown),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
