/* SPDX-License-Identifier: MPL-2.0 */
#include "image/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/own.h"

#define FDS_MAX 8

int child_start(struct child *c, const char *const *argv, const char *const *env, const int *fds, size_t nfds, struct err *e)
{
	int copy[FDS_MAX], r = 0;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;

	if (nfds > FDS_MAX)
		return err_set(e, EINVAL, "too many descriptors for %s", argv[0]);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	/* above all targets first, so that no dup2 overwrites a source that is still needed */
	for (size_t i = 0; i < nfds; i++) {
		copy[i] = fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fcntl(fds[i], F_DUPFD_CLOEXEC, FDS_MAX);
		if (copy[i] >= 0 && copy[i] < FDS_MAX) {
			int high = fcntl(copy[i], F_DUPFD_CLOEXEC, FDS_MAX);

			close(copy[i]);
			copy[i] = high;
		}
		if (copy[i] < 0)
			r = r ?: err_sys(e, errno, "descriptor %zu for %s", i, argv[0]);
		else
			posix_spawn_file_actions_adddup2(&fa, copy[i], (int)i);
	}
	if (r == 0) {
		pid_t pid;
		int s = posix_spawnp(&pid, argv[0], &fa, &at, (char *const *)(uintptr_t)argv,
				     env ? (char *const *)(uintptr_t)env : environ);

		if (s)
			r = err_sys(e, s, "run %s", argv[0]);
		else
			*c = (struct child){.pid = pid, .pidfd = pidfd_open(pid, 0)};
	}
	for (size_t i = 0; i < nfds; i++)
		own_fd(&copy[i]);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return r;
}

int child_wait(struct child *c)
{
	int st = 0;
	pid_t r;

	if (!c->pid)
		return -ECHILD;
	do
		r = waitpid(c->pid, &st, 0);
	while (r < 0 && errno == EINTR);
	c->pid = 0;
	own_fd(&c->pidfd);
	if (r < 0)
		return -errno;
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

void child_end(struct child *c)
{
	if (!c->pid)
		return;
	kill(c->pid, SIGKILL); /* not reaped yet: the number is still its own */
	child_wait(c);
}
