/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Work to be timed in a zone and on the host; prints the seconds it took.
 *
 *	work cpu              integers and floating point, no system calls
 *	work files DIR        make, write, read, stat, list and remove small files below DIR
 *	work read DIR         read and stat the same files again and again
 *	work syscall          nanoseconds of one getppid(2)
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "timing.h"

#define FILES 400
#define CALLS 2000000

static void cpu(void)
{
	volatile uint64_t sink;
	uint64_t x = 88172645463325252ULL;
	double d = 1;

	for (int i = 0; i < 120000000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		d = d * 1.0000001 + (double)(x & 1);
	}
	sink = x + (uint64_t)d;
	(void)sink;
}

static int make_all(char *b)
{
	char p[32];

	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(p, sizeof p, "w%d", i);
		fd = open(p, O_CREAT | O_RDWR | O_TRUNC, 0644);
		if (fd < 0 || write(fd, b, 4096) != 4096)
			return -1;
		close(fd);
	}
	return 0;
}

static int read_all(char *b)
{
	struct stat st;
	char p[32];

	for (int i = 0; i < FILES; i++) {
		int fd;

		snprintf(p, sizeof p, "w%d", i);
		if (stat(p, &st) < 0 || (fd = open(p, O_RDONLY)) < 0 || read(fd, b, 4096) != 4096)
			return -1;
		close(fd);
	}
	return 0;
}

static int remove_all(void)
{
	char p[32];

	for (int i = 0; i < FILES; i++) {
		snprintf(p, sizeof p, "w%d", i);
		if (unlink(p) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char b[4096];
	double t;
	int r = 0;

	if (argc == 3 && chdir(argv[2]) < 0)
		return 1;
	t = now();
	if (argc == 2 && !strcmp(argv[1], "cpu")) {
		cpu();
	} else if (argc == 2 && !strcmp(argv[1], "syscall")) {
		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		printf("%.2f\n", (now() - t) * 1e9 / CALLS);
		return 0;
	} else if (argc == 3 && !strcmp(argv[1], "files")) {
		for (int i = 0; r == 0 && i < 10; i++)
			r = make_all(b) | read_all(b) | remove_all();
	} else if (argc == 3 && !strcmp(argv[1], "read")) {
		r = make_all(b);
		t = now();
		for (int i = 0; r == 0 && i < 100; i++)
			r = read_all(b);
	} else {
		return 2;
	}
	if (r < 0) {
		perror("work");
		return 1;
	}
	printf("%.6f\n", now() - t);
	return argc == 3 && !strcmp(argv[1], "read") ? -remove_all() : 0;
}
