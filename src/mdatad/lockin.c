/* SPDX-License-Identifier: MPL-2.0 */
/* What is left afterwards: to talk over the descriptors that it has, to take connections, memory and the clock. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "mdata/ask.h"
#include "mdatad/mdatad.h"

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

static bool filter(void)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(poll), SCMP_SYS(ppoll),
		SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(clock_gettime), SCMP_SYS(futex),
		SCMP_SYS(getrandom), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
#if ASAN
		SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(sched_yield),
#endif
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = f != NULL;

	for (size_t i = 0; ok && i < ARRAY_LEN(allowed); i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	/* memory yes, code no */
	ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 && seccomp_load(f) == 0;
	seccomp_release(f);
	return ok;
}

const char *lock_in(uid_t uid)
{
	const struct rlimit none = {0, 0}, files = {64, 64}, memory = {128 << 20, 128 << 20};

	if (uid == 0)
		return "a user id of its own";
	if (fchdir(MDATAD_FOLDER) < 0 || chroot(".") < 0)
		return "chroot into an empty folder";
	close(MDATAD_FOLDER);
	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 || (!ASAN && setrlimit(RLIMIT_AS, &memory) < 0) ||
	    setrlimit(RLIMIT_FSIZE, &none) < 0)
		return "limits";
	for (int c = 0; c < 64; c++)
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return "drop capabilities";
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return "a user id of its own";
	/* behind the change of ids, which takes it back: without who answers there is nothing to do, whoever has us by then */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return "an end with its parent";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	return filter() ? NULL : "system call filter";
}
