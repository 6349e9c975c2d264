/* SPDX-License-Identifier: MPL-2.0 */
#include "net/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"
#include "base/own.h"
#include "kern/ns.h"

#define ROOM (16 << 20) /* that the kernel keeps for us while we write */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* What goes out there, and nothing else. */
static int outgoing(int s)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog p = {.len = ARRAY_LEN(f), .filter = f};

	return setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

static int open_here(int ifindex, bool out, struct err *e)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	/* no protocol: it sees nothing until it is bound to the one interface */
	_fd_ int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, room = ROOM;

	if (s < 0)
		return err_sys(e, errno, "packet socket");
	if ((out ? outgoing(s) : setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)) < 0 || setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0)
		return err_sys(e, errno, "packet socket");
	if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
		setsockopt(s, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(s, (struct sockaddr *)&at, sizeof at) < 0)
		return err_sys(e, errno, "listen to interface %d", ifindex);
	return take_fd(&s);
}

static int open_in(int ns, int ifindex, bool out, struct err *e)
{
	_fd_ int home = ns_open(0, "net", e), s = -1;

	if (home < 0)
		return home;
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter a network namespace");
	s = open_here(ifindex, out, e);
	ns_home(home);
	return s < 0 ? s : take_fd(&s);
}

int capture_open(int ns, int ifindex, struct err *e)
{
	return open_in(ns, ifindex, false, e);
}

int capture_open_out(int ns, int ifindex, struct err *e)
{
	return open_in(ns, ifindex, true, e);
}

int capture_next(int s, uint32_t snaplen, struct frame_seen *f)
{
	union {
		struct cmsghdr h;
		char room[256];
	} control;
	struct iovec v = {f->bytes, snaplen < CAPTURE_MAX ? snaplen : CAPTURE_MAX};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(s, &m, MSG_TRUNC | MSG_DONTWAIT);

	f->full = false;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->whole = (uint32_t)n;
	f->have = f->whole < v.iov_len ? f->whole : (uint32_t)v.iov_len;
	f->wall_ns = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		f->wall_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	}
	f->wall_ns = f->wall_ns ?: clock_wall_ns();
	f->full = true;
	return 1;
}

uint64_t capture_lost(int s)
{
	struct tpacket_stats st = {0};
	socklen_t n = sizeof st;

	return getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n) < 0 ? 0 : st.tp_drops;
}
