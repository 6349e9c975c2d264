/* SPDX-License-Identifier: MPL-2.0 */
#include "node/saved_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"

#define PIECE  (1u << 20)
#define WINDOW (8u << 20)  /* what is written goes to the disk meanwhile, not all of it at the end */
#define TICK   200         /* ms */
#define LATER  (16u << 20) /* what may still be on its way from who says that all of it is out: more than a pipe has */

static void fail(struct saved_pipe *p, int code)
{
	__atomic_store_n(&p->code, code, __ATOMIC_RELEASE);
}

/*
 * 1: ready; 0: not yet; negative: nothing will come. waited: ns for one who has said that it is done, in all: a byte now and then gives it no more. What a
 * slow disk takes is not its fault.
 */
static int ready(struct saved_pipe *p, short what, uint64_t *waited)
{
	struct pollfd f = {.fd = p->ours, .events = what};
	bool done = __atomic_load_n(&p->done, __ATOMIC_ACQUIRE);
	uint64_t since = clock_mono_ns();
	int r;

	if (__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE))
		return -ECANCELED;
	r = poll(&f, 1, TICK);
	if (r < 0 && errno != EINTR)
		return -errno;
	*waited += done ? clock_mono_ns() - since : 0;
	if (*waited > p->linger_ms * 1000000ULL)
		return -ETIME;
	return r > 0;
}

static int put(int fd, const char *b, size_t n)
{
	while (n) {
		ssize_t w = write(fd, b, n);

		if (w < 0 && errno != EINTR)
			return -errno;
		b += w > 0 ? w : 0;
		n -= w > 0 ? (size_t)w : 0;
	}
	return 0;
}

static int take_out(struct saved_pipe *p, char *b)
{
	uint64_t flushed = p->sum.n, later = 0, waited = 0;

	for (;;) {
		bool done = __atomic_load_n(&p->done, __ATOMIC_ACQUIRE);
		int r = ready(p, POLLIN, &waited);
		ssize_t n = r == 1 ? read(p->ours, b, PIECE) : 0;

		if (r < 0)
			return r;
		if (r == 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		later += done ? (uint64_t)n : 0;
		if (p->sum.n + (uint64_t)n > p->max || later > LATER)
			return -EFBIG;
		sum64_add(&p->sum, b, (size_t)n);
		r = put(p->file, b, (size_t)n);
		if (r < 0)
			return r;
		if (p->sum.n - flushed >= WINDOW) {
			sync_file_range(p->file, (off_t)flushed, (off_t)(p->sum.n - flushed), SYNC_FILE_RANGE_WRITE);
			flushed = p->sum.n;
		}
	}
}

static int bring_in(struct saved_pipe *p, char *b)
{
	uint64_t waited = 0;
	bool broken = false;

	while (p->sum.n < p->max && !__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		size_t want = p->max - p->sum.n < PIECE ? (size_t)(p->max - p->sum.n) : PIECE;
		ssize_t n = read(p->file, b, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		sum64_add(&p->sum, b, (size_t)n);
		/* who does not want it any more may be so for what is in it: the rest is still looked at */
		for (ssize_t at = 0; at < n && !broken;) {
			int r = ready(p, POLLOUT, &waited);
			ssize_t w = r == 1 ? write(p->ours, b + at, (size_t)(n - at)) : 0;

			if (r < 0 || (w < 0 && errno != EINTR && errno != EAGAIN))
				broken = true;
			else
				at += w > 0 ? w : 0;
		}
	}
	return p->sum.n < p->max ? -ECANCELED : 0;
}

static void *run(void *arg)
{
	struct saved_pipe *p = arg;
	_free_ char *b = xalloc(PIECE);
	int r = p->in ? bring_in(p, b) : take_out(p, b);

	fail(p, r < 0 ? -r : 0);
	/* QEMU sees that nothing is taken any more, or that this was all */
	own_fd(&p->ours);
	return NULL;
}

int saved_pipe_start(struct saved_pipe *p, bool in, int file, uint64_t max, struct err *e)
{
	sigset_t all, old;
	int fd[2], r;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	fcntl(fd[1], F_SETPIPE_SZ, PIECE); /* less is slower */
	p->in = in;
	p->file = file;
	p->max = max;
	p->ours = fd[in ? 1 : 0];
	p->its = fd[in ? 0 : 1];
	fcntl(p->ours, F_SETFL, O_NONBLOCK);
	/* in a thread that blocks it, a broken pipe is an error and no signal */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&p->thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	p->started = r == 0;
	return r ? err_sys(e, r, "thread") : 0;
}

int saved_pipe_end(struct saved_pipe *p, const struct ctx *c)
{
	/* the last copy but QEMU's own, which it closes when it is done; one that does not is not waited for without end */
	own_fd(&p->its);
	__atomic_store_n(&p->done, true, __ATOMIC_RELEASE);
	while (p->started) {
		uint64_t until = clock_mono_ns() + TICK * 1000000ULL;
		struct timespec t = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};

		p->started = pthread_clockjoin_np(p->thread, NULL, CLOCK_MONOTONIC, &t) != 0;
		if (p->started && ctx_check(c, NULL) < 0)
			__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	}
	own_fd(&p->ours);
	return -__atomic_load_n(&p->code, __ATOMIC_ACQUIRE);
}
