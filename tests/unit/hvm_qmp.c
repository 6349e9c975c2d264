/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "hvm/qmp.h"
#include "kern/sock.h"

/* A monitor that hangs takes nobody who calls: the first wait for its greeting, those behind them for room, and none for longer than it was told. */
static void hangs(void **state)
{
	char dir[] = "/tmp/qmp.XXXXXX";
	_free_ char *path = NULL;
	uint64_t begin;
	int at, s;

	assert_non_null(mkdtemp(dir));
	path = xprintf("%s/qmp.sock", dir);
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s = sock_serve(at, "qmp.sock", NULL);
	assert_true(s >= 0);
	alarm(60);
	begin = clock_mono_ns();
	for (int i = 0; i < 24; i++) {
		_qmp_ struct qmp q = QMP_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(qmp_open(path, 50, &q, &e), -ETIME);
		assert_non_null(strstr(e.msg, "QEMU does not answer"));
	}
	assert_true(clock_mono_ns() - begin < 20000000000ULL);
	assert_int_equal(qmp_agent(path, 50, &QMP_INIT, NULL), -ETIME);
	alarm(0);
	close(s);
	close(at);
	unlink(path);
	rmdir(dir);
}

/* A monitor: at each line that it hears it says what is next, nothing where that is "". */
static void monitor(int at, const char *const *says)
{
	FILE *in = fdopen(dup(at), "r");
	char line[256];

	for (; *says; says++) {
		if (!fgets(line, sizeof line, in))
			_exit(1);
		if (write(at, *says, strlen(*says)) != (ssize_t)strlen(*says))
			_exit(2);
	}
	_exit(fgets(line, sizeof line, in) ? 3 : 0);
}

static pid_t served(const char *const *says, struct qmp *q)
{
	int p[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		monitor(p[1], says);
	}
	close(p[1]);
	*q = QMP_INIT;
	q->fd = p[0];
	return pid;
}

static void ended(pid_t pid, struct qmp *q)
{
	int status;

	qmp_close(q);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Told how long all of it may take, it is no longer than that for any part: here one answer comes, and the next never. */
static void bounded(void **state)
{
	static const char *const says[] = {"{\"return\": {}}\r\n", "", NULL};
	struct err e = ERR_INIT;
	uint64_t begin = clock_mono_ns();
	struct qmp q;
	pid_t pid = served(says, &q);

	alarm(60);
	qmp_bound(&q, 1000);
	assert_int_equal(qmp_do(&q, "one", NULL, 50000, NULL, &e), 0);
	assert_int_equal(qmp_do(&q, "two", NULL, 50000, NULL, &e), -ETIME);
	assert_true(clock_mono_ns() - begin < 20000000000ULL);
	/* and there is none for more */
	assert_int_equal(qmp_event(&q, "STOP", 50000, &e), -ETIME);
	alarm(0);
	ended(pid, &q);
}

/* What was said is heard before what is asked, each in its place; a refusal bears the name of what was refused. */
static void owed(void **state)
{
	static const char *const good[] = {"", "{\"return\": {}}\r\n", "{\"return\": {}}\r\n{\"return\": {\"n\": 3}}\r\n", NULL};
	static const char *const bad[] = {"", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n{\"return\": {}}\r\n", "{\"return\": {\"n\": 4}}\r\n", NULL};
	struct err e = ERR_INIT;
	json_t *ret = NULL;
	struct qmp q;
	pid_t pid = served(good, &q);

	assert_int_equal(qmp_say(&q, "one", NULL, 5000, &e), 0);
	assert_int_equal(qmp_say(&q, "two", NULL, 5000, &e), 0);
	assert_int_equal(qmp_do(&q, "three", NULL, 5000, &ret, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(ret, "n")), 3);
	json_decref(ret);
	ended(pid, &q);

	pid = served(bad, &q);
	/* and the answers behind it are those commands' */
	assert_int_equal(qmp_say(&q, "one", NULL, 5000, &e), 0);
	assert_int_equal(qmp_do(&q, "two", NULL, 5000, NULL, &e), -EREMOTEIO);
	assert_non_null(strstr(e.msg, "QEMU refuses one: no"));
	e = ERR_INIT;
	assert_int_equal(qmp_do(&q, "three", NULL, 5000, &ret, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(ret, "n")), 4);
	json_decref(ret);
	ended(pid, &q);
}

/* It runs when it says so, whenever its answer comes; and it has not said so when that came without. */
static void runs(void **state)
{
	static const char *const first[] = {"{\"event\": \"RESUME\"}\r\n", "{\"return\": {\"late\": 1}}\r\n{\"return\": {\"n\": 2}}\r\n", NULL};
	static const char *const without[] = {"{\"event\": \"STOP\"}\r\n{\"return\": {}}\r\n", NULL};
	struct err e = ERR_INIT;
	json_t *ret = NULL;
	struct qmp q;
	pid_t pid = served(first, &q);

	assert_int_equal(qmp_cont(&q, 5000, &e), 0);
	assert_int_equal(qmp_do(&q, "query-status", NULL, 5000, &ret, &e), 0);
	assert_int_equal(json_integer_value(json_object_get(ret, "n")), 2);
	json_decref(ret);
	ended(pid, &q);
	pid = served(without, &q);
	assert_int_equal(qmp_cont(&q, 5000, &e), 1);
	ended(pid, &q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hangs), cmocka_unit_test(bounded), cmocka_unit_test(owed), cmocka_unit_test(runs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
