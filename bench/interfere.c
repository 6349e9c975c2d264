/* SPDX-License-Identifier: MPL-2.0 */
/*
 * usage: interfere victim KIND N     N operations of that kind, one each 3 to 5 ms; prints the time of each from when it was
 *                                    due, in microseconds, a line each
 *        interfere attack KIND S     does its worst to that resource for S seconds
 *        interfere burn KIND S       as many processes as that, which do nothing but use their processors
 *
 * Works in the current folder. Static, for it runs in zones that have nothing. bench/interfere.py runs both, in two zones.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EACH_NS 4000000ULL
#define FILE_MB 48 /* what the victim keeps reading: it fits into its memory, and is to stay there */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static volatile uint64_t sink;

static void spin(unsigned n)
{
	uint64_t x = 88172645463325252ULL;

	while (n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	sink = x;
}

/* ---- the victim's operations: some tenths of a millisecond each ---- */

static void v_cpu(unsigned i) { spin(100000); }

static void v_memory(unsigned i)
{
	size_t n = 1 << 20;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (size_t k = 0; k < n; k += 4096)
		p[k] = 1;
	munmap(p, n);
}

static int big;
static void big_make(const char *name, unsigned mb)
{
	char *chunk = malloc(1 << 20);

	big = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (unsigned i = 0; i < mb; i++) {
		for (unsigned k = 0; k < 1 << 20; k += 8)
			*(uint64_t *)(chunk + k) = (uint64_t)random() << 32 | (uint64_t)random();
		if (write(big, chunk, 1 << 20) != 1 << 20)
			die(name);
	}
	fsync(big);
	free(chunk);
}

static void v_cache(unsigned i)
{
	char b[4096];

	for (int k = 0; k < 32; k++)
		if (pread(big, b, sizeof b, (off_t)(random() % (FILE_MB << 8)) << 12) != sizeof b)
			die("read");
}

static void names_make(void)
{
	char name[32];

	mkdir("v", 0700);
	for (int k = 0; k < 500; k++) {
		snprintf(name, sizeof name, "v/%d", k);
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
}

static void v_names(unsigned i)
{
	struct stat st;
	char name[32];

	for (int k = 0; k < 100; k++) {
		snprintf(name, sizeof name, "v/%d", (int)(random() % 500));
		if (stat(name, &st) < 0)
			die(name);
	}
}

static void v_fsync(unsigned i)
{
	static int fd = -1;
	char b[4096];

	if (fd < 0)
		fd = open("vsync", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	memset(b, (int)i, sizeof b);
	if (pwrite(fd, b, sizeof b, (off_t)(i % 64) << 12) < 0 || fdatasync(fd) < 0)
		die("fdatasync");
}

static void v_files(unsigned i)
{
	close(open("vnew", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	if (rename("vnew", "vold") < 0 || unlink("vold") < 0)
		die("vnew");
}

static void v_inotify(unsigned i)
{
	static int fd = -1; /* closing one waits for RCU, with or without an attacker */
	int w;

	if (fd < 0)
		fd = inotify_init1(IN_CLOEXEC);
	w = inotify_add_watch(fd, ".", IN_MODIFY);
	if (w < 0 || inotify_rm_watch(fd, w) < 0)
		die("inotify");
}

static void v_pty(unsigned i)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	if (fd < 0)
		die("/dev/ptmx");
	close(fd);
}

static void v_fork(unsigned i)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) < 0)
		die("fork");
}

static void v_pipe(unsigned i)
{
	int p[2];
	char b[4096] = "";

	if (pipe(p) < 0)
		die("pipe");
	for (int k = 0; k < 16; k++)
		if (write(p[1], b, sizeof b) < 0)
			die("pipe");
	close(p[0]);
	close(p[1]);
}

/* ---- the attacker's: each for ever ---- */

static void a_cpu(unsigned i) { spin(1000000); }

static void a_memory(unsigned i)
{
	size_t n = 64u << 20;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* some processes of 64 MiB together are more than the zone may have: it reclaims, and is killed */
	for (size_t k = 0; p != MAP_FAILED && k < n; k += 4096)
		p[k] = (char)k;
	if (p != MAP_FAILED)
		munmap(p, n);
}

static void a_cache(unsigned i)
{
	static char b[1 << 20];
	off_t at = 0;

	/* larger than its memory: every page is read anew and throws another out */
	posix_fadvise(big, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (pread(big, b, sizeof b, at) > 0)
		at += (off_t)sizeof b;
}

static void a_names(unsigned i)
{
	struct stat st;
	char name[64];

	for (int k = 0; k < 1000; k++) {
		snprintf(name, sizeof name, "none-%d-%u-%d", (int)getpid(), i, k);
		stat(name, &st);
	}
}

static void a_fsync(unsigned i)
{
	char name[32], b[4096] = "";
	static int fd = -1;

	snprintf(name, sizeof name, "async-%d", (int)getpid());
	if (fd < 0)
		fd = open(name, O_WRONLY | O_CREAT, 0600);
	for (int k = 0; k < 16; k++)
		if (pwrite(fd, b, sizeof b, (off_t)(random() % 4096) << 12) < 0)
			return;
	fsync(fd);
}

static void a_writes(unsigned i)
{
	char name[32];
	static char b[1 << 20];
	static int fd = -1;

	snprintf(name, sizeof name, "awrite-%d", (int)getpid());
	if (fd < 0)
		fd = open(name, O_WRONLY | O_CREAT, 0600);
	memset(b, (int)random(), sizeof b);
	if (pwrite(fd, b, sizeof b, (off_t)(i % 64) << 20) < 0)
		return;
}

static void a_files(unsigned i)
{
	char name[64];

	for (int k = 0; k < 100; k++) {
		snprintf(name, sizeof name, "anew-%d-%d", (int)getpid(), k);
		close(open(name, O_WRONLY | O_CREAT, 0600));
		unlink(name);
	}
}

static void until_refused(int (*one)(void))
{
	static int fd[65536];
	int n = 0;

	while (n < 65536 && (fd[n] = one()) >= 0)
		n++;
	while (n > 0)
		close(fd[--n]);
}
static int one_inotify(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd >= 0)
		inotify_add_watch(fd, ".", IN_MODIFY);
	return fd;
}
static int one_pty(void) { return open("/dev/ptmx", O_RDWR | O_NOCTTY); }
static int one_pipe(void)
{
	int p[2];

	if (pipe(p) < 0)
		return -1;
	close(p[1]);
	return p[0];
}
static void a_inotify(unsigned i) { until_refused(one_inotify); }
static void a_pty(unsigned i) { until_refused(one_pty); }
static void a_pipe(unsigned i) { until_refused(one_pipe); }

static void a_fork(unsigned i)
{
	pid_t pid;
	int n = 0;

	while (n < 4096 && (pid = fork()) >= 0) {
		if (pid == 0) {
			usleep(20000);
			_exit(0);
		}
		n++;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void a_sync(unsigned i) { sync(); }

struct kind {
	const char *name;
	void (*victim)(unsigned), (*attack)(unsigned);
	int procs; /* attackers at once */
};
static const struct kind kinds[] = {
	{"cpu", v_cpu, a_cpu, 8},	{"memory", v_memory, a_memory, 8}, {"cache", v_cache, a_cache, 2},
	{"names", v_names, a_names, 4}, {"fsync", v_fsync, a_fsync, 4},	   {"writes", v_fsync, a_writes, 2},
	{"files", v_files, a_files, 4}, {"sync", v_fsync, a_sync, 2},	   {"inotify", v_inotify, a_inotify, 2},
	{"pty", v_pty, a_pty, 2},	{"fork", v_fork, a_fork, 1},	   {"pipe", v_pipe, a_pipe, 4},
};

static void victim(const struct kind *k, unsigned n)
{
	uint64_t *t = malloc(n * sizeof *t), due;

	if (!strcmp(k->name, "cache")) {
		char b[4096];

		big_make("vbig", FILE_MB);
		for (off_t at = 0; pread(big, b, sizeof b, at) > 0; at += 4096)
			;
	}
	if (!strcmp(k->name, "names"))
		names_make();
	for (unsigned i = 0; i < 20; i++)
		k->victim(i);
	due = now_ns();
	for (unsigned i = 0; i < n; i++) {
		struct timespec at;

		/* When it is late it does not catch up: each is the time of one operation and the wait before it. */
		/* at no fixed place between two ticks of the kernel's clock, which are 4 ms apart on many */
		due += EACH_NS - EACH_NS / 4 + (uint64_t)random() % (EACH_NS / 2);
		if (due < now_ns())
			due = now_ns();
		at = (struct timespec){(time_t)(due / 1000000000ULL), (long)(due % 1000000000ULL)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		k->victim(i);
		t[i] = now_ns() - due;
	}
	for (unsigned i = 0; i < n; i++)
		printf("%.1f\n", (double)t[i] / 1e3);
}

static void attack(const struct kind *k, unsigned seconds)
{
	uint64_t end;

	if (!strcmp(k->name, "cache"))
		big_make("abig", 400);
	puts("ready");
	fflush(stdout);
	end = now_ns() + seconds * 1000000000ULL;
	/* A killed one is replaced: the zone's out-of-memory killer is part of the attack. */
	for (int live = 0; now_ns() < end;) {
		pid_t pid = live < k->procs ? fork() : 1;

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			srandom((unsigned)getpid());
			for (unsigned i = 0; now_ns() < end; i++)
				k->attack(i);
			_exit(0);
		}
		if (pid > 1)
			live++;
		while (live && waitpid(-1, NULL, live < k->procs ? WNOHANG : 0) > 0)
			live--;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(int argc, char **argv)
{
	const struct kind *k = NULL;

	for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, argv[2]))
			k = &kinds[i];
	if (argc == 2 && !strcmp(argv[1], "kinds")) {
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			puts(kinds[i].name);
		return 0;
	}
	if (!k)
		return fprintf(stderr, "usage: interfere victim KIND N | attack KIND S | burn KIND S | kinds\n"), 2;
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(argv[1], "victim"))
		victim(k, (unsigned)atoi(argv[3]));
	else if (!strcmp(argv[1], "burn"))
		attack(&(struct kind){"burn", NULL, a_cpu, k->procs}, (unsigned)atoi(argv[3]));
	else
		attack(k, (unsigned)atoi(argv[3]));
	return 0;
}
