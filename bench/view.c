/* SPDX-License-Identifier: MPL-2.0 */
/*
 * view FILE N GAP_US: open, read, close, N times, with a pause before each; prints p50 and p99 in microseconds. FILE may be a
 * system call: sysinfo, sched_getaffinity; or getppid, which no filter has anything to say about.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "timing.h"

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int call(const char *name)
{
	static struct sysinfo info;
	static unsigned char mask[128];

	if (!strcmp(name, "sysinfo"))
		return sysinfo(&info);
	if (!strcmp(name, "sched_getaffinity"))
		return syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) > 0 ? 0 : -1;
	return syscall(SYS_getppid) >= 0 ? 0 : -1;
}

static int look(const char *what)
{
	static char text[65536];
	int fd;

	if (what[0] != '/')
		return call(what);
	fd = open(what, O_RDONLY);
	return fd < 0 || read(fd, text, sizeof text) <= 0 || close(fd) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[2]) : 0, gap = argc == 4 ? atoi(argv[3]) : 0;
	double *us = calloc(n > 0 ? (size_t)n : 1, sizeof *us);

	if (n < 1 || !us)
		return 2;
	for (int i = 0; i < n; i++) {
		double t;

		if (gap)
			usleep((useconds_t)gap);
		t = now();
		if (look(argv[1]) < 0) {
			perror(argv[1]);
			return 1;
		}
		us[i] = (now() - t) * 1e6;
	}
	qsort(us, (size_t)n, sizeof *us, order);
	printf("%.2f %.2f\n", us[n / 2], us[n * 99 / 100]);
	return 0;
}
