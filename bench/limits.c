/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone with all limits set costs: CPU microseconds of one operation, its own and its children's, least of some runs.
 *
 *	limits cpu | fork | pipe | files DIR      one figure
 *	limits hog SECONDS                        busy
 *	limits hold MIB                           touches so much memory, over and over; prints "up" when it has it
 *	limits write FILE MIB direct|fsync|buffered    seconds until it is on the device; random bytes
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS 9

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

static int pipes(const char *dir)
{
	int a[2], b[2], n = 20000;
	char c = 0;
	pid_t p;

	if (pipe(a) < 0 || pipe(b) < 0)
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

static int writes(const char *file, size_t mib, const char *how)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | (*how == 'd' ? O_DIRECT : 0), 0644);
	uint64_t *p = aligned_alloc(4096, 1 << 20), x = 88172645463325252ULL;
	double t = now();

	for (size_t k = 0; fd >= 0 && k < mib; k++) {
		for (size_t i = 0; i < (1 << 20) / sizeof x; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			p[i] = x;
		}
		if (write(fd, p, 1 << 20) != 1 << 20)
			return 1;
		/* at a steady rate, not 100 MiB at once at the end */
		if (*how == 'f' && k % 10 == 9 && fsync(fd) < 0)
			return 1;
	}
	if (fd < 0)
		return 1;
	printf("%.3f\n", now() - t);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const char *);
	} kinds[] = {{"cpu", cpu}, {"fork", forks}, {"pipe", pipes}, {"files", files}};
	double best = 1e18, end;

	if (argc > 2 && !strcmp(argv[1], "hog")) {
		for (end = now() + atof(argv[2]); now() < end;)
			for (volatile int i = 0; i < 1000000; i++)
				;
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "hold"))
		return hold((size_t)atoi(argv[2]));
	if (argc > 4 && !strcmp(argv[1], "write"))
		return writes(argv[2], (size_t)atoi(argv[3]), argv[4]);
	for (size_t k = 0; argc > 1 && k < sizeof kinds / sizeof *kinds; k++) {
		if (strcmp(argv[1], kinds[k].name) != 0)
			continue;
		for (int i = 0; i < RUNS; i++) {
			double t = cpu_us(), one;
			int n = kinds[k].run(argc > 2 ? argv[2] : "/tmp");

			one = (cpu_us() - t) / n;
			best = one < best ? one : best;
		}
		printf("%.4f\n", best);
	}
	return 0;
}
