/* SPDX-License-Identifier: MPL-2.0 */
/* What is left: the sockets, reading the table, and asking other name servers. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern/giveup.h"
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

static const char *filter(bool asks)
{
	static const int own[] = {
		SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
		SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	};
	static const int asking[] = {SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getsockopt)};
	static const int families[] = {AF_INET, AF_INET6};
	scmp_filter_ctx f = giveup_filter();
	bool ok = giveup_allow(f, own, sizeof own / sizeof *own) && giveup_allow_data(f, SCMP_SYS(mprotect));

	if (asks)
		ok = ok && giveup_allow(f, asking, sizeof asking / sizeof *asking);
	for (size_t i = 0; ok && asks && i < 2; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]),
				      SCMP_A1(SCMP_CMP_EQ, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)) == 0 &&
		     seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, (unsigned)families[i]),
				      SCMP_A1(SCMP_CMP_EQ, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)) == 0;
	/* whether it sees what goes out */
	if (!asks)
		ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, SCMP_A1(SCMP_CMP_EQ, SOL_PACKET),
					    SCMP_A2(SCMP_CMP_EQ, PACKET_IGNORE_OUTGOING)) == 0;
	/* reading alone */
	ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, 0)) == 0;
	return giveup_load(f, ok);
}

const char *lock_in(unsigned uid, bool asks)
{
	static const struct giveup_limit files = {RLIMIT_NOFILE, 512};
	/* it stays when the command that started it ends, and the client says its last words when its keeper does */
	const char *why = giveup(&(struct giveup){.root = FD_FOLDER, .uid = uid, .mask = 077, .stays = true, .limit = &files, .nlimits = 1});

	if (why)
		return why;
	landlock();
	return filter(asks);
}
