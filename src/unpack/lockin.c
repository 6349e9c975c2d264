/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order matters: namespaces and chroot need capabilities, dropping the bounding set needs CAP_SETPCAP, and the
 * filter comes last. openat(2) is not in the filter, only openat2(2), which the tree code always calls with
 * RESOLVE flags: so nothing in the C library can load a file (character set modules, say) out of the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unpack/unpack.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CLOISTER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CLOISTER_ASAN 1
#endif
#ifndef CLOISTER_ASAN
#define CLOISTER_ASAN 0
#endif

static void limit(int what, rlim_t n)
{
	struct rlimit old, r = {n, n};

	if (getrlimit(what, &old) == 0 && old.rlim_max < n)
		r.rlim_cur = r.rlim_max = old.rlim_max;
	if (setrlimit(what, &r) < 0)
		fail(errno, "setrlimit");
}

static void keep_caps(uint64_t keep)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2], now[2];

	if (syscall(SYS_capget, &h, now) < 0)
		fail(errno, "capget");
	/* a caller with less than all is fine: what it lacks shows when the archive needs it */
	for (int i = 0; i < 2; i++) {
		d[i].effective = d[i].permitted = now[i].permitted & (uint32_t)(keep >> (32 * i));
		d[i].inheritable = 0;
	}
	for (int c = 0; c < 64; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			fail(errno, "drop capability %d", c);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) < 0)
		fail(errno, "capset");
}

static void filter(bool tree)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close),
		SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
		SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
#if CLOISTER_ASAN
		SCMP_SYS(sigaltstack), /* asked for ahead of every function that does not return */
#endif
	};
	/* and what a tree is made with; a disk, or a digest, is of descriptors alone */
	static const int trees[] = {
		SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(getdents64), SCMP_SYS(openat2), SCMP_SYS(mkdirat), SCMP_SYS(symlinkat),
		SCMP_SYS(linkat), SCMP_SYS(unlinkat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fchmod), SCMP_SYS(utimensat),
		SCMP_SYS(ftruncate), SCMP_SYS(fsetxattr), SCMP_SYS(mknodat),
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	need(f);
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
			fail(EINVAL, "system call filter");
	for (size_t i = 0; tree && i < sizeof trees / sizeof *trees; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, trees[i], 0) < 0)
			fail(EINVAL, "system call filter");
	/* memory yes, code no */
	if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0 ||
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
		fail(EINVAL, "system call filter");
	if (seccomp_load(f) < 0)
		fail(EPERM, "system call filter refused by the kernel");
	seccomp_release(f);
}

void lock_in(const struct unpack *u)
{
	if (close_range(FD_STATUS + 1, ~0U, 0) < 0)
		fail(errno, "close_range");
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS) < 0)
		fail(errno, "unshare");
	if (u->digest || u->disk) {
		/* no tree: an empty place of its own would need a mount; without a folder all opens fail by the filter */
		if (chdir("/") < 0)
			fail(errno, "chdir");
	} else if (fchdir(FD_ROOT) < 0 || chroot(".") < 0) {
		fail(errno, "chroot into the new tree");
	}
	umask(0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, 2 * 256 + 64); /* the deepest tree that is removed, twice */
	limit(RLIMIT_FSIZE, u->max_bytes);
#if !CLOISTER_ASAN /* whose shadow is larger */
	limit(RLIMIT_AS, 2UL << 30);
#endif
	limit(RLIMIT_MEMLOCK, 0);
	keep_caps(u->digest || u->disk ? 0
			    : 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
				      1ULL << CAP_SETFCAP);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(errno, "no_new_privs");
	filter(!u->digest && !u->disk);
}
