/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
#define OUT_MAX (8u << 20)

static int ended(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* What a child of ours said by its exit status: an errno. */
static int said(pid_t pid)
{
	int status = 0, r = pid < 0 ? -errno : ended(pid, &status);

	if (r < 0)
		return r;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

bool netns_pinned(const char *path)
{
	struct statfs f;

	return statfs(path, &f) == 0 && f.f_type == NSFS_MAGIC;
}

int netns_pin(const char *path, int (*setup)(void), struct err *e)
{
	_fd_ int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	pid_t pid;
	int r;

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	pid = fork();
	if (pid == 0) {
		r = unshare(CLONE_NEWNET) < 0 ? -errno : setup();
		if (r == 0 && mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
			r = -errno;
		_exit(-r);
	}
	r = said(pid);
	return r < 0 ? err_sys(e, r, "make a network namespace at %s", path) : 0;
}

int netns_unpin(const char *path, struct err *e)
{
	if (netns_pinned(path) && umount2(path, MNT_DETACH) < 0)
		return err_sys(e, errno, "unmount %s", path);
	return 0;
}

int netns_do(int ns, int (*f)(void *arg), void *arg, struct err *e)
{
	pid_t pid = fork();
	int r;

	if (pid == 0) {
		r = setns(ns, CLONE_NEWNET) < 0 ? -errno : f(arg);
		_exit(-r);
	}
	r = said(pid);
	return r < 0 ? err_sys(e, r, "in a network namespace") : 0;
}

static void run_child(int ns, char *const argv[], int in, int out)
{
	static char *const env[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", NULL};
	sigset_t none;

	if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || close_range(3, ~0U, 0) < 0)
		_exit(126);
	execve(argv[0], argv, env);
	_exit(127);
}

static int read_all(int fd, struct buf *out)
{
	char chunk[8192];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && out->len < OUT_MAX)
			buf_add(out, chunk, (size_t)n);
	}
	return 0;
}

int netns_run(int ns, char *const argv[], const char *text, struct buf *out, struct err *e)
{
	_buf_ struct buf got = BUF_INIT;
	_fd_ int in = memfd_create("stdin", MFD_CLOEXEC), mine = -1, its = -1;
	int back[2], status = 0, r;
	pid_t pid;

	if (in < 0 || fd_write_all(in, text ?: "", strlen(text ?: "")) < 0 || lseek(in, 0, SEEK_SET) < 0 || pipe2(back, O_CLOEXEC) < 0)
		return err_sys(e, errno, "standard input of %s", argv[0]);
	mine = back[0];
	its = back[1];
	pid = fork();
	if (pid == 0)
		run_child(ns, argv, in, its);
	r = pid < 0 ? -errno : 0;
	own_fd(&its);
	if (r == 0)
		r = read_all(mine, &got);
	if (pid > 0) {
		int r2 = ended(pid, &status);

		r = r < 0 ? r : r2;
	}
	if (r < 0)
		return err_sys(e, r, "run %s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= 126)
		return err_set(e, ENOEXEC, "%s did not run", argv[0]);
	if (out) {
		buf_add(out, buf_str(&got), got.len);
	} else if (WEXITSTATUS(status)) {
		const char *s = buf_str(&got);

		err_set(e, EIO, "%s: %.*s", argv[0], (int)strcspn(s, "\n"), s);
	}
	return WEXITSTATUS(status);
}
