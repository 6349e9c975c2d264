/* SPDX-License-Identifier: MPL-2.0 */
/* view FILE N GAP_US: open, read, close, N times, with a pause before each; prints p50 and p99 in microseconds. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "timing.h"

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static char text[65536];
	int n = argc == 4 ? atoi(argv[2]) : 0, gap = argc == 4 ? atoi(argv[3]) : 0;
	double *us = calloc(n > 0 ? (size_t)n : 1, sizeof *us);

	if (n < 1 || !us)
		return 2;
	for (int i = 0; i < n; i++) {
		double t;
		int fd;

		if (gap)
			usleep((useconds_t)gap);
		t = now();
		fd = open(argv[1], O_RDONLY);
		if (fd < 0 || read(fd, text, sizeof text) <= 0 || close(fd) < 0) {
			perror(argv[1]);
			return 1;
		}
		us[i] = (now() - t) * 1e6;
	}
	qsort(us, (size_t)n, sizeof *us, order);
	printf("%.2f %.2f\n", us[n / 2], us[n * 99 / 100]);
	return 0;
}
