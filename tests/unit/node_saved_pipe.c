/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "node/saved_pipe.h"

#define MIB (1u << 20)

static struct ctx plain = {.oplog = -1, .cancel = -1};

/* In QEMU's place: n bytes at a time with a pause behind each, until nobody is there any more, or so many are through. */
struct other {
	int fd;
	bool in;
	size_t piece, all;
	unsigned pause_us;
};

static void *other(void *arg)
{
	struct other *o = arg;
	_free_ char *b = xalloc(o->piece);

	for (size_t n = 0; n < o->all;) {
		ssize_t w = o->in ? read(o->fd, b, o->piece) : write(o->fd, b, o->piece);

		if (w <= 0)
			break;
		n += (size_t)w;
		if (o->pause_us)
			usleep(o->pause_us);
	}
	close(o->fd);
	return NULL;
}

static int ended(struct saved_pipe *p, const struct ctx *c, struct other *o, int file, uint64_t max, unsigned *ms)
{
	uint64_t begin;
	pthread_t t;
	int r;

	alarm(60);
	assert_int_equal(saved_pipe_start(p, o->in, file, max, NULL), 0);
	o->fd = dup(p->its);
	assert_int_equal(pthread_create(&t, NULL, other, o), 0);
	begin = clock_mono_ns();
	r = saved_pipe_end(p, c);
	*ms = (unsigned)((clock_mono_ns() - begin) / 1000000);
	pthread_join(t, NULL);
	alarm(0);
	return r;
}

static int file_of(size_t n)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	return fd;
}

/* What is still on its way when QEMU says that it is done comes through. */
static void honest(void **state)
{
	struct saved_pipe p = SAVED_PIPE_INIT;
	struct other o = {.piece = 65536, .all = 3 * MIB, .pause_us = 1000};
	_fd_ int file = file_of(0);
	unsigned ms;

	assert_int_equal(ended(&p, &plain, &o, file, 4 * MIB, &ms), 0);
	assert_int_equal(p.sum.n, 3 * MIB);
	assert_int_equal(lseek(file, 0, SEEK_END), 3 * MIB);
}

/* A byte now and then is no reason to wait on. */
static void dribbles(void **state)
{
	struct saved_pipe p = SAVED_PIPE_INIT;
	struct other o = {.piece = 1, .all = SIZE_MAX, .pause_us = 20000};
	_fd_ int file = file_of(0);
	unsigned ms;

	p.linger_ms = 300;
	assert_int_equal(ended(&p, &plain, &o, file, 4 * MIB, &ms), -ETIME);
	assert_in_range(ms, 200, 20000);
}

/* Nor is as much as it likes. */
static void floods(void **state)
{
	struct saved_pipe p = SAVED_PIPE_INIT;
	struct other o = {.piece = 65536, .all = SIZE_MAX};
	_fd_ int file = file_of(0);
	unsigned ms;

	assert_int_equal(ended(&p, &plain, &o, file, 1ULL << 40, &ms), -EFBIG);
	assert_true(p.sum.n < 64 * MIB);
}

/* Who takes it in by and by gets no more of it, and all of it is looked at. */
static void sips(void **state)
{
	struct saved_pipe p = SAVED_PIPE_INIT;
	struct other o = {.in = true, .piece = 4096, .all = SIZE_MAX, .pause_us = 20000};
	_fd_ int file = file_of(8 * MIB);
	unsigned ms;

	p.linger_ms = 300;
	assert_int_equal(ended(&p, &plain, &o, file, 8 * MIB, &ms), 0);
	assert_int_equal(p.sum.n, 8 * MIB);
	assert_in_range(ms, 200, 20000);
}

/* A command that is to end does so. */
static void cancelled(void **state)
{
	struct ctx c = plain;
	int gone[2];

	assert_int_equal(pipe2(gone, O_CLOEXEC), 0);
	close(gone[1]);
	c.cancel = gone[0];
	for (int in = 0; in < 2; in++) {
		struct saved_pipe p = SAVED_PIPE_INIT;
		struct other o = {.in = in, .piece = in ? 4096 : 1, .all = SIZE_MAX, .pause_us = 20000};
		_fd_ int file = file_of(in ? 8 * MIB : 0);
		unsigned ms;

		assert_int_equal(ended(&p, &c, &o, file, 8 * MIB, &ms), -ECANCELED);
		assert_true(ms < 15000);
	}
	close(gone[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest), cmocka_unit_test(dribbles), cmocka_unit_test(floods), cmocka_unit_test(sips), cmocka_unit_test(cancelled),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
