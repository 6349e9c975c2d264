/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone is made of, by hand and without Cloister: many HTTP servers (http.c), each with some of it.
 *
 *	many HTTP N PORT [net] [ns] [filter=FILE]     servers on ports from PORT on, or port 80 of a loopback each (net);
 *	                                              ns: all other namespaces too; filter: a program for seccomp
 *
 * Prints a line "PID PORT NET" for each as `http load` wants it, then an empty one, and ends them at the end of its input.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define OTHERS (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWTIME)
#define MOST   4096
#define IDS    0x70000000 /* a range of 65,536 user ids for each */

static struct sock_filter program[BPF_MAXINSNS];
static struct sock_fprog filter = {.filter = program};
static int flags;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	r.ifr_flags = IFF_UP;
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) < 0)
		die("lo");
	close(s);
}

static void map_ids(pid_t pid, int i)
{
	static const char *const file[] = {"uid_map", "gid_map"};

	for (int k = 0; k < 2; k++) {
		char p[48], m[48];
		int n = snprintf(m, sizeof m, "0 %d 65536", IDS + (i << 16)), fd;

		snprintf(p, sizeof p, "/proc/%d/%s", (int)pid, file[k]);
		fd = open(p, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, m, (size_t)n) != n)
			die(p);
		close(fd);
	}
}

/* Says 'u' when it has its namespaces, waits for its ids, and says who will be the server. */
static void server(const char *http, int port, int sock)
{
	char text[16], c = 'u';
	int fd = open(http, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (fd < 0 || unshare(flags) < 0 || write(sock, &c, 1) != 1 || read(sock, &c, 1) != 1)
		die(http);
	if (flags & CLONE_NEWUSER && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		die("setresuid");
	if (flags & CLONE_NEWNET)
		lo_up();
	pid = fork(); /* pid and time namespaces are the child's */
	if (pid < 0)
		die("fork");
	if (pid) {
		if (write(sock, &pid, sizeof pid) != sizeof pid)
			kill(pid, SIGKILL);
		_exit(0); /* not what is in the buffer of standard output */
	}
	if (filter.len && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			   syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0))
		die("filter");
	snprintf(text, sizeof text, "%d", port);
	fexecve(fd, (char *[]){(char *)"http", (char *)"serve", text, NULL}, (char *[]){NULL});
	die(http);
}

static pid_t start(const char *http, int port, int i)
{
	int sv[2];
	pid_t pid, at = 0;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		die("socketpair");
	pid = fork();
	if (pid == 0)
		server(http, port, sv[1]);
	close(sv[1]);
	if (pid < 0 || read(sv[0], &c, 1) != 1)
		die("server");
	if (flags & CLONE_NEWUSER)
		map_ids(pid, i);
	if (write(sv[0], &c, 1) != 1 || read(sv[0], &at, sizeof at) != sizeof at)
		die("server");
	close(sv[0]);
	waitpid(pid, NULL, 0);
	return at;
}

int main(int argc, char **argv)
{
	static pid_t all[MOST];
	int n = argc > 3 ? atoi(argv[2]) : 0, port = argc > 3 ? atoi(argv[3]) : 0;
	char c;

	if (n < 1 || n > MOST) {
		fprintf(stderr, "usage: see the head of many.c\n");
		return 2;
	}
	for (int i = 4; i < argc; i++) {
		if (!strncmp(argv[i], "filter=", 7)) {
			int fd = open(argv[i] + 7, O_RDONLY | O_CLOEXEC);
			ssize_t k = fd < 0 ? -1 : read(fd, program, sizeof program);

			if (k <= 0)
				die(argv[i]);
			filter.len = (unsigned short)((size_t)k / sizeof *program);
			close(fd);
		} else {
			flags |= !strcmp(argv[i], "net") ? CLONE_NEWNET : !strcmp(argv[i], "ns") ? OTHERS : 0;
		}
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < n; i++) {
		all[i] = start(argv[1], flags & CLONE_NEWNET ? 80 : port + i, i);
		printf("%d %d %d\n", (int)all[i], flags & CLONE_NEWNET ? 80 : port + i, flags & CLONE_NEWNET ? 1 : 0);
	}
	printf("\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	for (int i = 0; i < n; i++)
		kill(all[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
