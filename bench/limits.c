/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What runs in a zone, and in what is compared with it, while a limit is measured; also what all limits together cost: CPU
 * microseconds of one operation, its own and its children's, least of some runs.
 *
 *	limits cpu | fork | pipe | files DIR      one figure
 *	limits all DIR                            these four
 *	limits hog SECONDS [N [CPU]]              N busy processes, on that CPU
 *	limits hold MIB [FILE]                    touches so much memory, over and over; prints "up" when it has it. With FILE
 *	                                          a second one fills the page cache from it until the first has ended
 *	limits rest SECONDS WORD...               sleeps, and then does that
 *	limits held WORD...                       stops itself; when it is continued it does that
 *	limits write FILE MIB direct|fsync|buffered    seconds until it is on the device; random bytes
 *	limits init TOKEN WORD...                 as the first process: runs limits WORD..., what it prints and "status N" (a
 *	                                          shell's) go to /var/tmp/TOKEN, and stays until it is killed
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#define RUNS 9

static double cpu_us(void)
{
	struct rusage a, b;

	getrusage(RUSAGE_SELF, &a);
	getrusage(RUSAGE_CHILDREN, &b);
	return ((double)(a.ru_utime.tv_sec + a.ru_stime.tv_sec + b.ru_utime.tv_sec + b.ru_stime.tv_sec) * 1e6 +
		(double)(a.ru_utime.tv_usec + a.ru_stime.tv_usec + b.ru_utime.tv_usec + b.ru_stime.tv_usec));
}

static volatile uint64_t sink;

/* Primes, as sysbench looks for them. */
static int cpu(const char *dir)
{
	unsigned found = 0;

	for (unsigned n = 3; n < 200000; n++) {
		unsigned d = 2;

		while (d * d <= n && n % d)
			d++;
		found += d * d > n;
	}
	sink = found;
	return 1;
}

static int forks(const char *dir)
{
	for (int i = 0; i < 300; i++) {
		pid_t p = fork();

		if (p == 0) {
			execl("/proc/self/exe", "limits", "nothing", (char *)NULL);
			_exit(127);
		}
		waitpid(p, NULL, 0);
	}
	return 300;
}

/* Both ends on one processor: where they are put costs three times what there is to be measured. */
static int pipes(const char *dir)
{
	int a[2], b[2], n = 20000;
	cpu_set_t all, one;
	char c = 0;
	pid_t p;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (pipe(a) < 0 || pipe(b) < 0 || sched_getaffinity(0, sizeof all, &all) < 0 || sched_setaffinity(0, sizeof one, &one) < 0)
		exit(1);
	p = fork();
	for (int i = 0; i < n; i++) {
		if (p == 0 ? read(a[0], &c, 1) != 1 || write(b[1], &c, 1) != 1 : write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
			exit(1);
	}
	if (p == 0)
		_exit(0);
	waitpid(p, NULL, 0);
	for (int i = 0; i < 2; i++)
		close(a[i]), close(b[i]);
	sched_setaffinity(0, sizeof all, &all);
	return n;
}

static int files(const char *dir)
{
	char path[512], text[512];

	memset(text, 'x', sizeof text);
	for (int i = 0; i < 500; i++) {
		int fd;

		snprintf(path, sizeof path, "%s/%d", dir, i);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd < 0 || write(fd, text, sizeof text) != sizeof text)
			exit(1);
		close(fd);
	}
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof path, "%s/%d", dir, i);
		unlink(path);
	}
	return 500;
}

/* A child that ends with us, however we do. */
static pid_t child(void)
{
	pid_t p = fork();

	if (p == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return p;
}

static int hog(double seconds, int n, int on)
{
	cpu_set_t set;
	double end;

	CPU_ZERO(&set);
	CPU_SET((unsigned)on, &set);
	if (on >= 0 && sched_setaffinity(0, sizeof set, &set) < 0)
		return 1;
	while (n > 1 && child() != 0)
		n--;
	for (end = now() + seconds; now() < end;)
		for (volatile int i = 0; i < 1000000; i++)
			;
	return 0;
}

static int hold(size_t mib)
{
	size_t n = mib << 20;
	char *p = malloc(n);

	for (int up = 0;; up = 1) {
		for (size_t i = 0; p && i < n; i += 4096)
			p[i]++;
		if (!up && (puts("up"), fflush(stdout)))
			return 1;
	}
}

/* how: direct, fsync (as it goes), buffered (fsync at the end), or none of these: not waited for. */
static int writes(const char *file, size_t mib, const char *how)
{
	static uint64_t block[(1 << 20) / sizeof(uint64_t)] __attribute__((aligned(4096)));
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | (*how == 'd' ? O_DIRECT : 0), 0644), bad = fd < 0;
	uint64_t x = 88172645463325252ULL;

	for (size_t k = 1; !bad && k <= mib; k++) {
		for (size_t i = 0; i < sizeof block / sizeof x; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			block[i] = x;
		}
		bad = write(fd, block, sizeof block) != sizeof block;
		/* at a steady rate, not 100 MiB at once at the end */
		if (!bad && ((*how == 'f' && k % 10 == 0) || (*how == 'b' && k == mib)))
			bad = fsync(fd) < 0;
	}
	if (bad)
		perror(file);
	if (fd >= 0)
		close(fd);
	return bad;
}

static int one(const char *name, const char *dir)
{
	static const struct {
		const char *name;
		int (*run)(const char *);
	} kinds[] = {{"cpu", cpu}, {"fork", forks}, {"pipe", pipes}, {"files", files}};
	int known = 0;

	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		double best = 1e18;

		if (strcmp(name, kinds[k].name) != 0 && strcmp(name, "all") != 0)
			continue;
		for (int i = 0; i < RUNS; i++) {
			double t = cpu_us(), us;
			int n = kinds[k].run(dir);

			us = (cpu_us() - t) / n;
			best = us < best ? us : best;
		}
		printf("%.4f\n", best);
		known = 1;
	}
	return known ? 0 : 2;
}

static int run(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[0], "hog"))
		return hog(atof(argv[1]), argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? atoi(argv[3]) : -1);
	if (argc > 2 && !strcmp(argv[0], "hold") && child() == 0)
		for (;;)
			if (writes(argv[2], 300, "") != 0)
				_exit(1);
	if (argc > 1 && !strcmp(argv[0], "hold"))
		return hold((size_t)atoi(argv[1]));
	if (argc > 3 && !strcmp(argv[0], "write")) {
		double t = now();

		if (writes(argv[1], (size_t)atoi(argv[2]), argv[3]) != 0)
			return 1;
		printf("%.3f\n", now() - t);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[0], "held") && raise(SIGSTOP) == 0)
		return run(argc - 1, argv + 1);
	if (argc > 2 && !strcmp(argv[0], "rest") && usleep((useconds_t)(atof(argv[1]) * 1e6)) == 0)
		return run(argc - 2, argv + 2);
	return argc > 0 ? one(argv[0], argc > 1 ? argv[1] : "/tmp") : 2;
}

static int init(const char *token, int argc, char **argv)
{
	char path[256];
	int status, fd;
	pid_t p;

	snprintf(path, sizeof path, "/var/tmp/%s", token);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
	if (fd < 0 || (p = fork()) < 0)
		return 1;
	if (p == 0) {
		dup2(fd, 1);
		exit(run(argc, argv));
	}
	while (waitpid(p, &status, 0) != p)
		;
	dprintf(fd, "status %d\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "init"))
		return init(argv[2], argc - 3, argv + 3);
	return run(argc - 1, argv + 1);
}
