/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/seccomp.h"

#define FAILS(call, err) (errno = 0, (call) == -1 && errno == (err))
#define MUST(cond)                                                                                             \
	do {                                                                                                   \
		if (!(cond)) {                                                                                 \
			fprintf(stderr, "# line %d: %s: errno %d\n", __LINE__, #cond, errno);                  \
			_exit(1);                                                                              \
		}                                                                                              \
	} while (0)

/* Runs f in a child that has the filter; its wait status. */
static int filtered(uint64_t words, void (*f)(void))
{
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int st;
	pid_t pid;

	assert_int_equal(seccomp_build(words, &b, &e), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (seccomp_apply(b.p, b.len, &e) < 0)
			_exit(99);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static void denied(void)
{
	char stack[64];

	MUST(FAILS(syscall(SYS_io_uring_setup, 1, NULL), EPERM));
	MUST(FAILS(syscall(SYS_bpf, 0, NULL, 0), EPERM));
	MUST(FAILS(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0), EPERM));
	MUST(FAILS(syscall(SYS_userfaultfd, 0), EPERM));
	MUST(FAILS(syscall(SYS_io_setup, 1, NULL), ENOSYS));
	MUST(FAILS(syscall(SYS_io_submit, 0, 0, NULL), ENOSYS));
	MUST(FAILS(syscall(SYS_keyctl, 0, 0, 0, 0, 0), ENOSYS));
	MUST(FAILS(syscall(SYS_clone3, NULL, 0), ENOSYS));
	MUST(FAILS(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, stack, 0, 0, 0), EPERM));
	MUST(FAILS(unshare(CLONE_NEWUSER), EPERM));
	MUST(FAILS(unshare(CLONE_NEWUSER | CLONE_NEWNS), EPERM));
	MUST(FAILS(setns(-1, CLONE_NEWUSER), EPERM));
	MUST(FAILS(setns(-1, CLONE_NEWNS), EBADF));
	MUST(FAILS(ioctl(0, TIOCSTI, "x"), EPERM));
	/* only the low half of the word counts to the kernel, so it must to us */
	MUST(FAILS(syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, "x"), EPERM));
	MUST(FAILS(ioctl(-1, TIOCLINUX, "x"), EPERM));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_SUBVOL_CREATE, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_SUBVOL_CREATE_V2, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_START_SYNC, NULL), EBADF)); /* the same number, the other direction */
	MUST(FAILS(ioctl(-1, BTRFS_IOC_SNAP_CREATE_V2, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_SNAP_DESTROY_V2, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_QGROUP_LIMIT, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_SEND, NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, _IOC(0, BTRFS_IOCTL_MAGIC, 200, 16), NULL), ENOTTY));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_CLONE, 0), EBADF));
	MUST(FAILS(ioctl(-1, BTRFS_IOC_FS_INFO, NULL), EBADF));
	MUST(FAILS(ioctl(-1, FIONREAD, NULL), EBADF));
	MUST(FAILS(socket(AF_ALG, SOCK_SEQPACKET, 0), EAFNOSUPPORT));
	MUST(FAILS(socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT));
	MUST(FAILS(syscall(SYS_socket, 0x100000000UL | AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT));
	MUST(FAILS(syscall(SYS_fcntl, -1, 1024, 1), EINVAL)); /* F_SETLEASE */
	MUST(FAILS(syscall(SYS_fcntl, -1, 0x100000000UL | 1024, 1), EINVAL));
	MUST(FAILS(syscall(SYS_fcntl, -1, 1040, 1), EINVAL)); /* F_SETDELEG */
	MUST(FAILS(syscall(SYS_fcntl, -1, F_GETFD), EBADF));
	MUST(FAILS(setsockopt(-1, SOL_PACKET, 5, "", 0), ENOPROTOOPT)); /* PACKET_RX_RING */
	MUST(FAILS(syscall(SYS_setsockopt, -1, 0x100000000UL | SOL_PACKET, 13, "", 0), ENOPROTOOPT));
	MUST(FAILS(setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, "", 0), EBADF));
	MUST(FAILS(personality(READ_IMPLIES_EXEC), EPERM));
	MUST(FAILS(personality(PER_SVR4), EPERM));
	MUST(FAILS(syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM));
	MUST(FAILS(syscall(SYS_init_module, NULL, 0, ""), EPERM));
	MUST(FAILS(syscall(SYS_open_by_handle_at, -1, NULL, 0), EPERM));
	MUST(FAILS(syscall(SYS_syslog, 3, NULL, 0), EPERM));
	MUST(FAILS(syscall(SYS_clock_settime, 0, NULL), EPERM));
	MUST(FAILS(syscall(SYS_quotactl, 0, NULL, 0, NULL), EPERM));
	/* a call that no table knows */
	MUST(FAILS(syscall(9999), ENOSYS));
}

static void allowed(void)
{
	int sv[2], st;
	pid_t pid;

	MUST(getppid() > 0);
	MUST(syscall(SYS_getrandom, &st, sizeof st, 0) == sizeof st);
	MUST(FAILS(syscall(462, 1, 0, 0), EINVAL) || errno == ENOSYS); /* mseal */
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	MUST(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	MUST(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
	MUST(personality(0xffffffff) >= 0);
	MUST(personality(ADDR_NO_RANDOMIZE) >= 0);
	MUST(syscall(SYS_mlock, sv, sizeof sv) == 0);
	pid = fork();
	if (pid == 0)
		_exit(3);
	MUST(pid > 0 && waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 3);
	MUST(unshare(CLONE_NEWUTS) == 0 || geteuid() != 0);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	MUST(waitpid(pid, &st, 0) == pid && st == 0);
}

static void narrowed(void)
{
	MUST(FAILS(syscall(SYS_io_uring_setup, 0, NULL), EINVAL) || errno == EFAULT || errno == EPERM);
	MUST(FAILS(syscall(SYS_mlock, &errno, 1), EPERM));
	MUST(FAILS(syscall(SYS_io_submit, 0, 0, NULL), EINVAL));
}

static void *thread(void *arg)
{
	return arg;
}

static void monitors(void)
{
	pthread_t t;
	void *ret = NULL;
	int sv[2];

	MUST(FAILS(fork(), EPERM));
	MUST(FAILS((int)syscall(SYS_vfork), EPERM));
	MUST(FAILS(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), EPERM));
	MUST(FAILS(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0), EPERM)); /* posix_spawn */
	MUST(FAILS(syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0), EPERM));
	MUST(FAILS(syscall(SYS_clone3, NULL, 0), ENOSYS));
	MUST(pthread_create(&t, NULL, thread, sv) == 0 && pthread_join(t, &ret) == 0 && ret == sv);
	MUST(FAILS(socket(AF_UNIX, SOCK_STREAM, 0), EACCES));
	MUST(FAILS(socket(AF_INET, SOCK_STREAM, 0), EACCES));
	MUST(FAILS(connect(-1, NULL, 0), EPERM));
	MUST(FAILS(bind(-1, NULL, 0), EPERM));
	MUST(FAILS(accept(-1, NULL, NULL), EBADF));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0);
	MUST(FAILS(unshare(CLONE_NEWNS), EPERM));
	MUST(FAILS(unshare(CLONE_FILES), EPERM));
	MUST(FAILS(setns(-1, 0), EPERM));
	MUST(FAILS(syscall(SYS_ptrace, 0, 0, 0, 0), EPERM));
	MUST(FAILS(syscall(SYS_mount, "", "", "", 0, NULL), EPERM));
	MUST(FAILS(syscall(SYS_shmget, 0, 4096, 0600), EPERM));
	MUST(FAILS(syscall(SYS_bpf, 0, NULL, 0), EPERM));
	MUST(FAILS(ioctl(0, TIOCSTI, "x"), EPERM));
}

static void x32(void)
{
	syscall(0x40000000 | 39);
}

#if defined(__x86_64__)
static long call32(long nr, long a, long b)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(0), "S"(0), "D"(0) : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static void i386(void)
{
	MUST(call32(20, 0, 0) == getpid());                 /* getpid */
	MUST(call32(359, AF_VSOCK, SOCK_STREAM) == -EAFNOSUPPORT); /* socket */
	MUST(call32(359, AF_INET, SOCK_STREAM) >= 0);
	MUST(call32(102, 1, 0) == -EAFNOSUPPORT);           /* socketcall(SYS_SOCKET) */
	MUST(call32(102, 3, 0) == -EFAULT);                 /* socketcall(SYS_CONNECT) */
	MUST(call32(102, 14, 0) == -EAFNOSUPPORT);          /* socketcall(SYS_SETSOCKOPT) */
	MUST(call32(55, -1, 1024) == -EINVAL);              /* fcntl(F_SETLEASE) */
	MUST(call32(221, -1, 1024) == -EINVAL);             /* fcntl64 */
	MUST(call32(221, -1, F_GETFD) == -EBADF);
	MUST(call32(366, -1, SOL_PACKET) == -ENOPROTOOPT);  /* setsockopt */
	MUST(call32(54, 0, TIOCSTI) == -EPERM);             /* ioctl */
	MUST(call32(310, CLONE_NEWUSER, 0) == -EPERM);      /* unshare */
	MUST(call32(425, 1, 0) == -EPERM);                  /* io_uring_setup */
	MUST(call32(103, 3, 0) == -EPERM);                  /* syslog */
	MUST(call32(9999, 0, 0) == -ENOSYS);
}
#endif

static void refuses(void **s)
{
	assert_int_equal(filtered(0, denied), 0);
}

static void lets(void **s)
{
	assert_int_equal(filtered(0, allowed), 0);
}

static void by_words(void **s)
{
	assert_int_equal(filtered(SECCOMP_IO_URING | SECCOMP_NO_LOCK_MEMORY | SECCOMP_AIO, narrowed), 0);
}

static void of_monitors(void **s)
{
	assert_int_equal(filtered(SECCOMP_MONITOR, monitors), 0);
}

static void other_abis(void **s)
{
#if defined(__x86_64__)
	int st = filtered(0, x32);

	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	assert_int_equal(filtered(0, i386), 0);
#else
	skip();
#endif
}

static void cached(void **s)
{
	char dir[] = "/tmp/seccomp-XXXXXX", p1[128], p2[128];
	struct ctx c = {.oplog = -1};
	struct err e = ERR_INIT;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(c.node.run, sizeof c.node.run, "%s", dir);
	assert_int_equal(seccomp_cached(&c, 0, p1, &e), 0);
	assert_int_equal(stat(p1, &st), 0);
	assert_true((st.st_mode & 07777) == 0600 && st.st_size > 800 && st.st_size % 8 == 0);
	assert_int_equal(seccomp_cached(&c, SECCOMP_IO_URING, p2, &e), 0);
	assert_string_not_equal(p1, p2);
	unlink(p1);
	unlink(p2);
	rmdir(dir);
}

static void whole(void **s)
{
	size_t n, m;
	const struct seccomp_row *r = seccomp_rows(&n);
	const struct seccomp_arg *a = seccomp_args(&m);
	_buf_ struct buf seen = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		_free_ char *names = xstrdup(r[i].names);

		assert_true(r[i].reason && *r[i].reason);
		for (char *save = NULL, *w = strtok_r(names, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
			_free_ char *word = xprintf(" %s ", w);

			if (strstr(buf_str(&seen), word))
				fail_msg("%s has two rows", w);
			buf_printf(&seen, "%s", word);
		}
	}
	for (size_t i = 0; i < m; i++)
		assert_true(a[i].n > 0 && a[i].reason);
	/* and no call that libseccomp knows was forgotten */
	for (int nr = 0; nr < 480; nr++) {
		static const uint32_t arch[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86};

		for (size_t i = 0; i < ARRAY_LEN(arch); i++) {
			_free_ char *name = seccomp_syscall_resolve_num_arch(arch[i], nr);
			_free_ char *word = name ? xprintf(" %s ", name) : NULL;

			if (word && !strstr(buf_str(&seen), word))
				fail_msg("%s has no row", name);
		}
	}
}

static void junk(void **s)
{
	struct err e = ERR_INIT;

	assert_int_equal(seccomp_apply("x", 1, &e), -EINVAL);
	assert_int_equal(seccomp_apply("", 0, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(refuses), cmocka_unit_test(lets), cmocka_unit_test(by_words), cmocka_unit_test(of_monitors),
				       cmocka_unit_test(other_abis), cmocka_unit_test(cached), cmocka_unit_test(whole),
				       cmocka_unit_test(junk)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
