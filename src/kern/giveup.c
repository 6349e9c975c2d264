/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/giveup.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#endif
#ifndef ASAN
#define ASAN 0
#endif

/* Who has us started with less keeps it so. */
static bool lower(int what, rlim_t most)
{
	struct rlimit r;

	if (ASAN && what == RLIMIT_AS)
		return true;
	if (getrlimit(what, &r) < 0)
		return false;
	if (r.rlim_max > most)
		r.rlim_max = most;
	r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r) == 0;
}

static bool bound(uint64_t keep)
{
	for (int c = 0; c < 64; c++)
		if (!(keep >> c & 1) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return false;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

/* Who has no group needs no right to drop any. */
static bool ids(uid_t uid)
{
	if (getgroups(0, NULL) != 0 && setgroups(0, NULL) < 0)
		return false;
	return uid == GIVEUP_SAME_UID || (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
}

static bool capabilities(uint64_t keep)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		d[i].effective = d[i].permitted = d[i].permitted & (uint32_t)(keep >> (32 * i));
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &h, d) == 0;
}

const char *giveup(const struct giveup *g)
{
	if (g->uid == 0) {
		errno = EINVAL;
		return "a user id of its own";
	}
	if (g->root >= 0 && (fchdir(g->root) < 0 || chroot(".") < 0))
		return "chroot into its folder";
	umask(g->mask);
	for (size_t i = 0; i < g->nlimits; i++)
		if (!lower(g->limit[i].what, g->limit[i].most))
			return "limits";
	if (!lower(RLIMIT_CORE, 0))
		return "limits";
	if (!bound(g->caps))
		return "drop capabilities";
	if (!ids(g->uid))
		return "a user id of its own";
	if (!capabilities(g->caps))
		return "drop capabilities";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return "no cores";
	if (!g->stays && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return "an end with its parent";
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? "no_new_privs" : NULL;
}

scmp_filter_ctx giveup_filter(void)
{
	static const int all[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
#if ASAN
		SCMP_SYS(sigaltstack), /* ahead of every function that does not return */
		SCMP_SYS(getpid), SCMP_SYS(sched_yield),
#endif
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (f && giveup_allow(f, all, ARRAY_LEN(all)) && giveup_allow_data(f, SCMP_SYS(mmap)))
		return f;
	seccomp_release(f);
	return NULL;
}

bool giveup_allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!f || seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0) < 0)
			return false;
	return true;
}

bool giveup_allow_data(scmp_filter_ctx f, int call)
{
	return f && seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

const char *giveup_load(scmp_filter_ctx f, bool ok)
{
	int r = f && ok ? seccomp_load(f) : -EINVAL;

	seccomp_release(f);
	errno = -r;
	return r < 0 ? "system call filter" : NULL;
}
