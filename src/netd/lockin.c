/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rights go here, in this order: the folder becomes the root while we may chroot, the ids take the capabilities with them,
 * Landlock and the filter come last. What is left: the sockets, reading the table, and asking other name servers.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/dhcpd.h"
#include "netd/netd.h"

/* Linux 6.7; the headers may be older */
#define ACCESS_NET_BIND    1u
#define ACCESS_NET_CONNECT 2u
#define RULE_NET_PORT      2
struct ruleset {
	uint64_t fs, net;
};
struct net_port {
	uint64_t allowed, port;
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NETD_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define NETD_ASAN 1
#endif
#ifndef NETD_ASAN
#define NETD_ASAN 0
#endif

/* By TCP to name servers alone. A kernel without it has one wall less; none of the others depends on it. */
static void landlock(void)
{
	struct ruleset r = {.net = ACCESS_NET_BIND | ACCESS_NET_CONNECT};
	struct net_port p = {.allowed = ACCESS_NET_CONNECT, .port = 53};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof r, 0);

	if (fd < 0)
		return;
	if (syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &p, 0) == 0)
		syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

static bool filter(bool asks)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
		SCMP_SYS(epoll_ctl), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
		SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
#if NETD_ASAN
		SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(sched_yield),
#endif
	};
	static const int asking[] = {SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getsockopt)};
	static const int families[] = {AF_INET, AF_INET6};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = f != NULL;

	for (size_t i = 0; ok && i < sizeof allowed / sizeof *allowed; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	for (size_t i = 0; ok && asks && i < sizeof asking / sizeof *asking; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, asking[i], 0) == 0;
	for (size_t i = 0; ok && asks && i < 2; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]),
				      SCMP_A1(SCMP_CMP_EQ, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)) == 0 &&
		     seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]),
				      SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)) == 0;
	/* whether it sees what goes out */
	if (!asks)
		ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, SCMP_A1(SCMP_CMP_EQ, SOL_PACKET),
					    SCMP_A2(SCMP_CMP_EQ, PACKET_IGNORE_OUTGOING)) == 0;
	/* reading alone; memory yes, code no */
	ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, 0)) == 0 &&
	     seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	     seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 && seccomp_load(f) == 0;
	seccomp_release(f);
	return ok;
}

const char *lock_in(unsigned uid, bool asks)
{
	const struct rlimit none = {0, 0}, files = {512, 512};

	if (fchdir(FD_FOLDER) < 0 || chroot(".") < 0)
		return "chroot into its folder";
	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return "limits";
	for (int c = 0; c < 64; c++)
		if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return "drop capabilities";
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return "a user id of its own";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs";
	landlock();
	return filter(asks) ? NULL : "system call filter";
}
