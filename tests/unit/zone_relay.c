/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "zone/relay.h"

static enum esc_act feed(struct esc *x, const char *in, const char *want)
{
	char out[64];
	size_t taken, len;
	enum esc_act a = esc_feed(x, in, strlen(in), &taken, out, &len);

	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
	return a;
}

static void escapes(void **state)
{
	struct esc x = {.c = '~'};

	assert_int_equal(feed(&x, "~.", ""), ESC_LEAVE);
	x = (struct esc){.c = '~'};
	assert_int_equal(feed(&x, "a~.b", "a~.b"), ESC_NONE);
	assert_int_equal(feed(&x, "\r", "\r"), ESC_NONE);
	assert_int_equal(feed(&x, "~", ""), ESC_NONE); /* held back until the next byte */
	assert_int_equal(feed(&x, "x", "~x"), ESC_NONE);
	assert_int_equal(feed(&x, "\n~~.", "\n~."), ESC_NONE);
	assert_int_equal(feed(&x, "\r~\x1a", "\r"), ESC_SUSPEND);
	assert_int_equal(feed(&x, "~.", ""), ESC_LEAVE);
	x = (struct esc){.c = 0};
	assert_int_equal(feed(&x, "~.\r~.", "~.\r~."), ESC_NONE);
}

/* 3 MiB through a child that copies, both directions, to a file: nothing lost, the status after the output. */
static void copies(void **state)
{
	enum { SIZE = 3 << 20 };
	char path[] = "/tmp/relay-XXXXXX", *data = malloc(SIZE), *back = malloc(SIZE);
	struct relay r = {.pidfd = -1, .sigfd = -1, .master = -1, .tty_in = -1};
	int a[2], b[2], in = mkstemp(path), out = open(path, O_RDWR);
	struct err e = ERR_INIT;
	sigset_t old;
	bool left;
	pid_t pid;

	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + (i >> 11));
	assert_int_equal(write(in, data, SIZE), SIZE);
	lseek(in, 0, SEEK_SET);
	unlink(path);
	strcpy(path + 5, "relay-XXXXXX");
	close(out);
	out = mkstemp(path);
	unlink(path);
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	r.sigfd = relay_signals(&old, &e);
	pid = fork();
	if (pid == 0) {
		dup2(a[0], 0);
		dup2(b[1], 1);
		execlp("cat", "cat", (char *)NULL);
		_exit(127);
	}
	close(a[0]);
	close(b[1]);
	fcntl(a[1], F_SETFL, O_NONBLOCK);
	fcntl(b[0], F_SETFL, O_NONBLOCK);
	r.way[0].from = in, r.way[0].to = a[1], r.way[0].inward = true;
	r.way[1].from = b[0], r.way[1].to = out;
	r.nways = 2;
	r.pid = pid;
	r.pidfd = pidfd_open(pid, 0);
	assert_int_equal(relay_run(&r, &left, &e), 0);
	assert_false(left);
	waitpid(pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(lseek(out, 0, SEEK_END), SIZE);
	assert_int_equal(pread(out, back, SIZE, 0), SIZE);
	assert_memory_equal(data, back, SIZE);
	relay_done(&r);
	free(data);
	free(back);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(escapes), cmocka_unit_test(copies)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
