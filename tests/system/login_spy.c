/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A hostile zone's root, for zlogin.sh: watches /proc for somebody coming in and grabs at all it can reach of him.
 * Counts only what it got while he was still our program. Ends on SIGINT.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static int keep; /* -k: trace whoever it can, let none go, reap none */
static unsigned seen, got, writable;

static void on_int(int sig)
{
	stop = sig;
}

static int ours(pid_t pid)
{
	char p[64], t[32] = "";
	int fd;

	snprintf(p, sizeof p, "/proc/%d/comm", (int)pid);
	fd = open(p, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, t, sizeof t - 1) < 0)
		t[0] = 0;
	close(fd);
	return !strcmp(t, "zlogin\n") || !strcmp(t, "cloister\n");
}

/*
 * Got something: of our program, or of the zone's own that it became a moment ago? exec changes the name late, so the
 * executable tells. If that can't be read, something was got that should not be.
 */
static void count(pid_t pid, const char *what, int ok)
{
	char p[64], exe[256];
	ssize_t n;

	if (!ok)
		return;
	snprintf(p, sizeof p, "/proc/%d/exe", (int)pid);
	n = readlink(p, exe, sizeof exe - 1);
	if (n < 0 && errno != EACCES && errno != EPERM)
		return;
	exe[n < 0 ? 0 : n] = 0;
	if (n >= 0 && !strstr(exe, "cloister"))
		return;
	got++;
	printf("got %s of %d %s\n", what, (int)pid, exe);
}

static void grab(pid_t pid)
{
	static const char *const files[] = {"exe", "cwd", "root", "mem", "environ", "maps", "fd", "fd/0", "fd/3", "fd/4", "ns/mnt", "map_files"};
	char p[80], mem[16];
	struct iovec to = {mem, sizeof mem}, from = {(void *)0x400000, sizeof mem};
	int fd;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(p, sizeof p, "/proc/%d/%s", (int)pid, files[i]);
		fd = open(p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		count(pid, files[i], fd >= 0);
		if (fd >= 0)
			close(fd);
	}
	snprintf(p, sizeof p, "/proc/%d/exe", (int)pid);
	fd = open(p, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		writable++;
	if (fd >= 0)
		close(fd);
	errno = 0;
	count(pid, "memory", process_vm_readv(pid, &to, 1, &from, 1, 0) > 0 || errno == EFAULT);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0) {
		int stolen = (int)syscall(SYS_pidfd_getfd, fd, 3, 0);

		count(pid, "a descriptor", stolen >= 0);
		if (stolen >= 0)
			close(stolen);
		close(fd);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
		count(pid, "a tracer's place", 1);
		if (keep)
			return;
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		waitpid(pid, NULL, __WALL);
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
}

int main(int argc, char **argv)
{
	pid_t last = getpid();

	keep = argc > 1 && !strcmp(argv[1], "-k");
	signal(SIGINT, on_int);
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		/* the next numbers, so that it is tried the moment it exists */
		for (pid_t pid = last + 1; pid < last + 64; pid++) {
			if (kill(pid, 0) < 0 && errno == ESRCH)
				continue;
			last = pid;
			if (keep)
				ptrace(PTRACE_SEIZE, pid, 0, 0);
			if (!ours(pid))
				continue;
			seen++;
			for (int i = 0; i < 20 && ours(pid); i++)
				grab(pid);
		}
	}
	printf("seen %u got %u\nexe opened for writing %u\n", seen, got, writable);
	return 0;
}
