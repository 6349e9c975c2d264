/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The frames of DHCP servers on an uplink, as they came in by the device, before the switch's program sees them; and where a NIC with a client of its
 * own is watched, what clients of ours sent there. The filter drops all else in the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/dhcpd.h"

/* IPv4, UDP, no fragment; in from port 67 to port 68, out from 68 to 67 */
static const struct sock_filter answers[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800, 0, 16),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 14),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 12, 0),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 4, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 67, 0, 7),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 4, 5),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 3),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 67, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

/* Of no protocol until it has its filter: nothing else is ever in its queue. */
static int open_link(const char *ifname)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(ifname)};
	struct sock_fprog f = {sizeof answers / sizeof *answers, (struct sock_filter *)answers};
	int fd = a.sll_ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1, one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f) < 0 || setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 ||
	    bind(fd, (void *)&a, sizeof a) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int dhcp_link(const char *ifname, int ns)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), r;

	if (home < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	r = open_link(ifname);
	if (setns(home, CLONE_NEWNET) < 0)
		_exit(1);
	close(home);
	return r;
}
