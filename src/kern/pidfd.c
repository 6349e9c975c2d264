/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

uint64_t pid_start(pid_t pid, char *state)
{
	char path[32], text[512], *p;
	_fd_ int fd = -1;
	ssize_t n;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = 0;
	/* The name may hold anything, also ") Z 1 …": the last bracket ends it. */
	p = strrchr(text, ')');
	if (!p || !p[1])
		return 0;
	if (state)
		*state = p[2];
	p++;
	for (int field = 3; field <= 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	return strtoull(p, NULL, 10);
}

int pidfd_of(pid_t pid, uint64_t start, struct err *e)
{
	_fd_ int fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	char state = 0;

	if (fd < 0 || pid_start(pid, &state) != start || state == 'Z' || state == 'X')
		return err_sys(e, ESRCH, "process %d", (int)pid);
	return take_fd(&fd);
}

int pidfd_kill(int pidfd, int sig)
{
	return pidfd_send_signal(pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int pidfd_wait(int pidfd, int ms)
{
	uint64_t until = ms < 0 ? 0 : clock_mono_ns() + (uint64_t)ms * 1000000;

	for (;;) {
		struct pollfd p = {.fd = pidfd, .events = POLLIN};
		int64_t left = ms < 0 ? -1 : (int64_t)(until - clock_mono_ns());
		int r = poll(&p, 1, ms < 0 ? -1 : left <= 0 ? 0 : (int)(left / 1000000) + 1);

		if (r > 0)
			return 0;
		if (r == 0 && ms >= 0)
			return -ETIME;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* Linux 6.15; the headers of Debian 12 are older. */
struct pidfd_info_v1 {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define INFO_EXIT  8
#define REAP_MS    5000
#define GET_INFO   _IOWR(0xFF, 11, struct pidfd_info_v1)

int pidfd_exit_status(int pidfd, int *status)
{
	struct pidfd_info_v1 in = {.mask = INFO_EXIT};
	struct pollfd p = {.fd = pidfd};

	/* Kept from when its parent, mostly process 1, has reaped it; the pidfd is hung up then. */
	while (poll(&p, 1, REAP_MS) < 0)
		if (errno != EINTR)
			return -errno;

	_Static_assert(sizeof in == 64, "first published size");
	if (ioctl(pidfd, GET_INFO, &in) < 0)
		return errno == ENOTTY || errno == EINVAL ? -ENOTSUP : -errno;
	if (!(in.mask & INFO_EXIT))
		return -ENOTSUP;
	*status = in.exit_code;
	return 0;
}

pid_t pidfd_clone(uint64_t flags, int cgroup, int *pidfd)
{
	struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD};
	long pid;

	if (flags & CLONE_PARENT) /* it is the caller's own that counts then, and no other may be named */
		a.exit_signal = 0;
	if (cgroup >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
	}
	if (pidfd) {
		a.flags |= CLONE_PIDFD;
		a.pidfd = (uint64_t)(uintptr_t)pidfd;
	}
	pid = syscall(SYS_clone3, &a, sizeof a);
	return pid < 0 ? -errno : (pid_t)pid;
}
