/* SPDX-License-Identifier: MPL-2.0 */
#include "zoneadmd/hand.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/rawcall.h"
#include "zoneadmd/hand.h"

struct hand_job hand_job;

static struct {
	pid_t pid, worker;
	uid_t owner;
	int dead, go, done;
} hand = {.dead = -1, .go = -1, .done = -1};

/* ---- in the hand: memory is the worker's, so no call of libc's but through rawcall ---- */

static long call(long nr, long a, long b, long c, long d)
{
	return rawcall(nr, a, b, c, d, 0, 0);
}

static uint64_t clock_of(clockid_t clock)
{
	struct timespec t = {0};

	call(SYS_clock_gettime, clock, (long)&t, 0, 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool close_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	return (low == 0 || call(SYS_close_range, 0, low - 1, 0, 0) == 0) &&
	       (high - low < 2 || call(SYS_close_range, low + 1, high - 1, 0, 0) == 0) && call(SYS_close_range, high + 1, ~0U, 0, 0) == 0;
}

/* Whoever owns a user namespace has all rights in it, from the one above; and this is all that is left then. */
static bool become(uid_t owner)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	return call(SYS_setgroups, 0, 0, 0, 0) == 0 && call(SYS_setresgid, owner, owner, owner, 0) == 0 &&
	       call(SYS_setresuid, owner, owner, owner, 0) == 0 && call(SYS_capset, (long)&h, (long)none, 0, 0) == 0 &&
	       call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0) == 0;
}

static void work(struct hand_job *j, uint64_t *before)
{
	struct iovec from = {j->bytes, j->len}, to = {(void *)(uintptr_t)j->addr, j->len}; /* NOLINT(performance-no-int-to-ptr) */

	if (clock_of(CLOCK_MONOTONIC) - j->seen_ns > HAND_NS)
		j->done = -ETIME;
	else
		j->done = rawcall(SYS_process_vm_writev, j->pid, (long)&from, 1, (long)&to, 1, 0);
	j->used_ns = clock_of(CLOCK_THREAD_CPUTIME_ID) - *before;
	*before += j->used_ns;
}

static int live(void *arg)
{
	uint64_t one = 1, before = 0; /* its own start is charged with the first job */

	/* the last after the ids: a change of them forgets it */
	if (close_but(hand.go, hand.done) && become(hand.owner) && call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0) == 0 &&
	    call(SYS_getppid, 0, 0, 0, 0) == hand.worker) {
		while (call(SYS_read, hand.go, (long)&one, sizeof one, 0) == (long)sizeof one) {
			work(arg, &before);
			one = 1;
			if (call(SYS_write, hand.done, (long)&one, sizeof one, 0) != (long)sizeof one)
				break;
		}
	}
	return 0;
}

/* ---- in the worker ---- */

int hand_start(uid_t owner)
{
	static char stack[8192] __attribute__((aligned(16)));
	int flags = CLONE_VM | CLONE_PIDFD; /* no signal at its end: it is found by the pidfd */

	if (hand.pid)
		return 0;
	hand.go = eventfd(0, EFD_CLOEXEC);
	hand.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hand.owner = owner;
	hand.worker = getpid();
	hand.pid = hand.go < 0 || hand.done < 0 ? -1 : clone(live, stack + sizeof stack, flags, &hand_job, &hand.dead);
	if (hand.pid > 0)
		return 0;
	own_fd(&hand.go);
	own_fd(&hand.done);
	hand.dead = -1;
	hand.pid = 0;
	return -(errno ? errno : EAGAIN);
}

pid_t hand_pid(void)
{
	return hand.pid;
}

/* Its counter is read by the hand, so there is always room. */
void hand_give(void)
{
	uint64_t one = 1;

	if (write(hand.go, &one, sizeof one) < 0)
		hand_kill();
}

int hand_done_fd(void)
{
	return hand.done;
}

int hand_dead_fd(void)
{
	return hand.dead;
}

void hand_taken(void)
{
	uint64_t n;

	if (read(hand.done, &n, sizeof n) < 0)
		return;
}

void hand_kill(void)
{
	if (hand.pid)
		kill(hand.pid, SIGKILL);
}

void hand_reap(void)
{
	if (!hand.pid)
		return;
	while (waitpid(hand.pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	hand.pid = 0;
	own_fd(&hand.dead);
	own_fd(&hand.go);
	own_fd(&hand.done);
}
