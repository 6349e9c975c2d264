/* SPDX-License-Identifier: MPL-2.0 */
#include "image/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"

#define FDS_MAX 8

/* Copies above all targets, so that no dup2 overwrites a source that is still needed. */
static int copy_fds(const char *prog, const int *fds, size_t nfds, int *copy, struct err *e)
{
	if (nfds > FDS_MAX)
		return err_set(e, EINVAL, "too many descriptors for %s", prog);
	for (size_t i = 0; i < nfds; i++) {
		int null = fds[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

		copy[i] = fcntl(null >= 0 ? null : fds[i], F_DUPFD_CLOEXEC, FDS_MAX);
		if (copy[i] < 0) {
			int r = err_sys(e, errno, "descriptor %zu for %s", i, prog);

			own_fd(&null);
			while (i-- > 0)
				own_fd(&copy[i]);
			return r;
		}
		own_fd(&null);
	}
	return 0;
}

int child_start(struct child *c, const char *const *argv, const char *const *env, const int *fds, size_t nfds, struct err *e)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;
	int copy[FDS_MAX], r = copy_fds(argv[0], fds, nfds, copy, e);
	pid_t pid;

	if (r < 0)
		return r;
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	for (size_t i = 0; i < nfds; i++)
		posix_spawn_file_actions_adddup2(&fa, copy[i], (int)i);
	r = posix_spawnp(&pid, argv[0], &fa, &at, (char *const *)(uintptr_t)argv, env ? (char *const *)(uintptr_t)env : environ);
	if (r)
		r = err_sys(e, r, "run %s", argv[0]);
	else
		*c = (struct child){.pid = pid, .pidfd = pidfd_open(pid, 0)};
	for (size_t i = 0; i < nfds; i++)
		own_fd(&copy[i]);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	return r;
}

static void __attribute__((noreturn)) in_child(const char *const *argv, const char *const *env, const int *copy, size_t nfds,
					       int (*before)(const void *arg), const void *arg)
{
	static const char what[] = "could not set up its namespaces\n";
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;
	int r;

	sigemptyset(&none);
	sigaction(SIGPIPE, &dfl, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (size_t i = 0; i < nfds; i++)
		if (dup2(copy[i], (int)i) < 0)
			_exit(126);
	r = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
	if (r == 0 && before)
		r = before(arg);
	if (r == 0)
		execve(argv[0], (char *const *)(uintptr_t)argv, env ? (char *const *)(uintptr_t)env : environ);
	else if (write(2, what, sizeof what - 1) < 0)
		_exit(125);
	_exit(126);
}

int child_start_apart(struct child *c, const char *const *argv, const char *const *env, const int *fds, size_t nfds,
		      int (*before)(const void *arg), const void *arg, struct err *e)
{
	int copy[FDS_MAX], pidfd = -1, r = copy_fds(argv[0], fds, nfds, copy, e);
	struct clone_args ca = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (r < 0)
		return r;
	pid = syscall(SYS_clone3, &ca, sizeof ca);
	if (pid == 0)
		in_child(argv, env, copy, nfds, before, arg);
	if (pid < 0)
		r = err_sys(e, errno, "run %s in namespaces of its own", argv[0]);
	else
		*c = (struct child){.pid = (pid_t)pid, .pidfd = pidfd};
	for (size_t i = 0; i < nfds; i++)
		own_fd(&copy[i]);
	return r;
}

char *child_find(const char *name)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *p = xprintf("%s/%s", dirs[i], name);

		if (access(p, X_OK) == 0)
			return p;
		free(p);
	}
	return NULL;
}

static void end_of_line(struct child_lines *l)
{
	l->text[l->len] = 0;
	for (size_t i = 0; i < l->len; i++)
		if ((unsigned char)l->text[i] < 32 || l->text[i] == 127)
			l->text[i] = '?';
	l->len = 0;
	l->line(l->text, l->arg);
}

int child_listen(struct ctx *c, int fd, struct child_lines *l, struct err *e)
{
	char chunk[4096];

	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->cancel, .events = POLLIN}};
		int r = ctx_check(c, e);
		ssize_t n;

		if (r < 0)
			return r;
		if (poll(p, 2, c->deadline ? 200 : -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "poll");
		if (!p[0].revents)
			continue;
		n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(e, errno, "read from a program") : 0;
		if (l->log >= 0)
			fd_write_all(l->log, chunk, (size_t)n); /* a log that can't be written is no reason to fail */
		for (ssize_t i = 0; i < n; i++) {
			if (chunk[i] == '\n' || l->len == sizeof l->text - 1)
				end_of_line(l);
			if (chunk[i] != '\n')
				l->text[l->len++] = chunk[i];
		}
	}
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
