/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hangs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
