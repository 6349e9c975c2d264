/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sched_getaffinity(2) and sysinfo(2) as a program of a zone may make them.
 *
 *	calls edges            pointers and lengths that the kernel refuses: 0 if the answers are the kernel's own, to the byte
 *	calls cpus [PID]       how many processors; of another process
 *	calls mask             their numbers, with blanks
 *	calls sysinfo          name=value …
 *	calls flood THREADS MS both calls in a loop in that many threads; how many there were and how many were wrong
 *	calls pinned           how many a thread sees that has pinned itself to one
 *	calls view             sysinfo into a private mapping of a file of /proc, with cold pages
 *	calls killed N         N children, each killed in the middle of calls
 *	calls narrow           both as a 32-bit program makes them: processors, total, unit, and the edges
 *	calls nested           a filter with a listener of one's own
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static long affinity(pid_t pid, unsigned long len, void *p)
{
	return syscall(SYS_sched_getaffinity, pid, len, p);
}

static void is(const char *what, long got, long want, int err)
{
	int e = errno;

	if (got == want && (got >= 0 || !err || e == err))
		return;
	bad = 1;
	printf("%s: %ld, errno %d; not %ld, errno %d\n", what, got, got < 0 ? e : 0, want, err);
}

static int count(const unsigned char *m, long n)
{
	int c = 0;

	for (long i = 0; i < n; i++)
		c += __builtin_popcount(m[i]);
	return c;
}

static int edges(void)
{
	unsigned char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), m[1024];
	long whole = affinity(0, sizeof m, m), n;
	struct sysinfo s;

	if (page == MAP_FAILED || whole <= 0)
		return 2;
	mprotect(page + 4096, 4096, PROT_READ);
	mprotect(page + 8192, 4096, PROT_NONE);
	is("mask of no length", affinity(0, 0, m), -1, EINVAL);
	is("mask of 4 bytes", affinity(0, 4, m), -1, EINVAL);
	is("mask of 12 bytes", affinity(0, 12, m), -1, EINVAL);
	is("mask of 2^29 bytes, whose bits overflow", affinity(0, 1UL << 29, m), -1, EINVAL);
	is("mask of 2^32 + 8 bytes: the kernel looks at the low half", affinity(0, (1UL << 32) + (unsigned long)whole, m), whole, 0);
	is("mask at NULL", affinity(0, 128, NULL), -1, EFAULT);
	is("mask at -1", affinity(0, 128, (void *)-1L), -1, EFAULT);
	is("mask in the kernel", affinity(0, 128, (void *)0xffffffff81000000UL), -1, EFAULT);
	is("mask on a page that is read-only", affinity(0, 128, page + 4096), -1, EFAULT);
	is("mask on a page that is not there", affinity(0, 128, page + 8192), -1, EFAULT);
	is("mask across the end of what may be written", affinity(0, 128, page + 4096 - whole / 2), -1, EFAULT);
	is("mask up to the very end", affinity(0, 128, page + 4096 - whole), whole, 0);
	is("mask of no process", affinity(0x3ffffff, 128, m), -1, ESRCH);
	is("mask of process -1", affinity(-1, 128, m), -1, ESRCH);
	is("no length and no process", affinity(0x3ffffff, 0, m), -1, EINVAL);
	memset(m, 0xee, sizeof m);
	n = affinity(0, (unsigned long)whole, m);
	is("mask of just that length", n, whole, 0);
	for (size_t i = (size_t)whole; i < sizeof m; i++)
		if (m[i] != 0xee) {
			printf("byte %zu behind the mask was written\n", i);
			return 1;
		}
	is("by its own number", affinity(getpid(), 1024, m), whole, 0);
	is("sysinfo at NULL", syscall(SYS_sysinfo, NULL), -1, EFAULT);
	is("sysinfo at -1", syscall(SYS_sysinfo, -1L), -1, EFAULT);
	is("sysinfo on a page that is read-only", syscall(SYS_sysinfo, page + 4096), -1, EFAULT);
	is("sysinfo across the end", syscall(SYS_sysinfo, page + 4096 - 8), -1, EFAULT);
	is("sysinfo up to the very end", syscall(SYS_sysinfo, page + 4096 - sizeof s), 0, 0);
	for (int i = 0; i < 4096; i++)
		if (page[4096 + i]) {
			printf("a page that is read-only was written\n");
			return 1;
		}
	return bad;
}

static int show_sysinfo(void)
{
	struct sysinfo s;

	if (sysinfo(&s) < 0)
		return 1;
	printf("up=%ld load=%lu total=%lu free=%lu shared=%lu buffers=%lu swap=%lu swapfree=%lu procs=%u unit=%u\n", s.uptime, s.loads[0],
	       s.totalram, s.freeram, s.sharedram, s.bufferram, s.totalswap, s.freeswap, s.procs, s.mem_unit);
	return 0;
}

static volatile int stop;
static unsigned long want_total;
static int want_cpus;
static struct tally { unsigned long n, wrong; } tally[256];

static void *flood_one(void *arg)
{
	struct tally *t = arg;

	while (!stop) {
		unsigned char m[128];
		struct sysinfo s;
		long n = affinity(0, sizeof m, m);

		if (n <= 0 || count(m, n) != want_cpus) {
			t->wrong++;
			printf("mask: %ld, errno %d, %d bits\n", n, errno, n > 0 ? count(m, n) : 0);
		}
		s.totalram = 0;
		n = sysinfo(&s);
		if (n < 0 || s.totalram != want_total) {
			t->wrong++;
			printf("sysinfo: %ld, errno %d, total %lu\n", n, errno, s.totalram);
		}
		t->n += 2;
	}
	return NULL;
}

static int flood(int threads, int ms)
{
	pthread_t id[256];
	unsigned long n = 0, wrong = 0;
	unsigned char m[128];
	struct sysinfo s;

	if (threads < 1 || threads > 256 || sysinfo(&s) < 0)
		return 2;
	want_total = s.totalram;
	want_cpus = count(m, affinity(0, sizeof m, m));
	for (int i = 0; i < threads; i++)
		if (pthread_create(&id[i], NULL, flood_one, &tally[i]))
			return 2;
	usleep((useconds_t)ms * 1000);
	stop = 1;
	for (int i = 0; i < threads; i++) {
		pthread_join(id[i], NULL);
		n += tally[i].n;
		wrong += tally[i].wrong;
	}
	printf("calls %lu wrong %lu\n", n, wrong);
	return wrong != 0 || n == 0;
}

static int pinned(void)
{
	unsigned char m[128], one[128] = {0};
	long n = affinity(0, sizeof m, m);
	int cpu = 0;

	while (n > 0 && !(m[cpu / 8] >> cpu % 8 & 1))
		cpu++;
	one[cpu / 8] = (unsigned char)(1 << cpu % 8);
	if (n <= 0 || syscall(SYS_sched_setaffinity, 0, sizeof one, one) < 0)
		return 2;
	n = affinity(0, sizeof m, m);
	printf("%d\n", n > 0 && !memcmp(m, one, (size_t)n) ? count(m, n) : -1);
	return 0;
}

/* The page has to be fetched from who is about to answer. */
static int from_view(void)
{
	for (int i = 0; i < 20; i++) {
		int fd = open(i % 2 ? "/proc/stat" : "/proc/meminfo", O_RDONLY);
		char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

		if (p == MAP_FAILED)
			return errno == ENODEV ? 0 : 2;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (syscall(SYS_sysinfo, p) < 0 && errno != EFAULT)
			return 1;
		munmap(p, 4096);
		close(fd);
		usleep(15000);
	}
	return 0;
}

static int killed(int n)
{
	for (int i = 0; i < n; i++) {
		int st = 0;
		pid_t pid = fork();

		if (pid == 0) {
			struct sysinfo s;

			for (;;)
				sysinfo(&s);
		}
		usleep((useconds_t)(i * 37 % 3000));
		if (pid < 0 || kill(pid, SIGKILL) < 0 || waitpid(pid, &st, 0) != pid || !WIFSIGNALED(st))
			return 1;
	}
	return 0;
}

#if defined(__x86_64__)
static long call32(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static int narrow(void)
{
	uint32_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long at = (long)p, n;

	if (p == MAP_FAILED)
		return 2;
	if (call32(20, 0, 0, 0) == -ENOSYS) {
		printf("none\n");
		return 0;
	}
	munmap((char *)p + 4096, 4096);
	n = call32(242, 0, 1024, at);
	if (n <= 0 || n % 4)
		return 1;
	printf("cpus=%d ", count((unsigned char *)p, n));
	errno = 0;
	is("32-bit mask of 3 bytes", call32(242, 0, 3, at), -EINVAL, 0);
	is("32-bit mask of 4 bytes", call32(242, 0, 4, at + 4096 - 4), sysconf(_SC_NPROCESSORS_CONF) <= 32 ? 4 : -EINVAL, 0);
	is("32-bit mask at 0", call32(242, 0, 128, 0), -EFAULT, 0);
	is("32-bit mask across the end", call32(242, 0, 128, at + 4096 - 4), -EFAULT, 0);
	is("32-bit sysinfo across the end", call32(116, at + 4096 - 60, 0, 0), -EFAULT, 0);
	memset(p, 0xee, 4096);
	is("32-bit sysinfo", call32(116, at, 0, 0), 0, 0);
	is("nothing is written behind it", p[16], 0xeeeeeeee, 0);
	printf("total=%lu unit=%u\n", (unsigned long)p[4] * p[13], p[13]);
	return bad;
}
#else
static int narrow(void)
{
	printf("none\n");
	return 0;
}
#endif

static int nested(void)
{
	struct sock_filter f[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog p = {1, f};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	is("a filter of one's own", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p), 0, 0);
	is("one with a listener", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p), -1, EBUSY);
	return bad;
}

int main(int argc, char **argv)
{
	unsigned char m[1024];
	const char *what = argc > 1 ? argv[1] : "";
	int a = argc > 2 ? atoi(argv[2]) : 0, b = argc > 3 ? atoi(argv[3]) : 0;
	long n;

	if (!strcmp(what, "edges"))
		return edges();
	if (!strcmp(what, "sysinfo"))
		return show_sysinfo();
	if (!strcmp(what, "flood"))
		return flood(a, b);
	if (!strcmp(what, "pinned"))
		return pinned();
	if (!strcmp(what, "view"))
		return from_view();
	if (!strcmp(what, "killed"))
		return killed(a);
	if (!strcmp(what, "narrow"))
		return narrow();
	if (!strcmp(what, "nested"))
		return nested();
	if (strcmp(what, "cpus") && strcmp(what, "mask"))
		return 2;
	n = affinity(a, sizeof m, m);
	if (n < 0) {
		printf("errno %d\n", errno);
		return 1;
	}
	if (!strcmp(what, "cpus"))
		printf("%d\n", count(m, n));
	for (int i = 0; what[0] == 'm' && i < n * 8; i++)
		if (m[i / 8] >> i % 8 & 1)
			printf("%d ", i);
	return 0;
}
