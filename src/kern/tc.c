/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define HANDLE 1
#define PRIO   1

struct msg {
	union {
		struct nlmsghdr h;
		char bytes[512];
	};
};

static struct tcmsg *msg_begin(struct msg *m, uint16_t type, uint16_t flags)
{
	memset(m, 0, sizeof *m);
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->h.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg));
	return NLMSG_DATA(&m->h);
}

/* All that is put here together is far below the room there is. */
static struct rtattr *msg_put(struct msg *m, unsigned short type, const void *data, size_t n)
{
	struct rtattr *a = (void *)(m->bytes + NLMSG_ALIGN(m->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	m->h.nlmsg_len = NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void msg_u32(struct msg *m, unsigned short type, uint32_t v)
{
	msg_put(m, type, &v, sizeof v);
}

/* 0 or -errno, as the kernel answers. */
static int msg_send(int s, struct msg *m)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	union {
		struct nlmsghdr h;
		char bytes[4096];
	} b;
	ssize_t n;

	/* an answer that came too late for its question is none to the next */
	m->h.nlmsg_seq = (uint32_t)clock_mono_ns();
	do
		n = sendto(s, m->bytes, m->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof from;

		n = recvfrom(s, b.bytes, sizeof b.bytes, 0, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (from.nl_pid == 0 && (size_t)n >= NLMSG_LENGTH(sizeof(struct nlmsgerr)) && b.h.nlmsg_type == NLMSG_ERROR &&
		    b.h.nlmsg_seq == m->h.nlmsg_seq)
			return ((const struct nlmsgerr *)NLMSG_DATA(&b.h))->error;
	}
}

int tc_join(int s, int index, uint32_t block, struct err *e)
{
	struct msg m;
	struct tcmsg *t = msg_begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	int r;

	t->tcm_ifindex = index;
	t->tcm_parent = TC_H_CLSACT;
	t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	msg_put(&m, TCA_KIND, "clsact", sizeof "clsact");
	msg_u32(&m, TCA_INGRESS_BLOCK, block);
	r = msg_send(s, &m);
	return r < 0 ? err_sys(e, r, "clsact at interface %d", index) : 0;
}

int tc_program(int s, uint32_t block, int prog, const char *name, struct err *e)
{
	struct msg m;
	struct tcmsg *t = msg_begin(&m, RTM_NEWTFILTER, NLM_F_CREATE);
	struct rtattr *options;
	int r;

	t->tcm_ifindex = (int)TCM_IFINDEX_MAGIC_BLOCK;
	t->tcm_block_index = block;
	t->tcm_handle = HANDLE;
	t->tcm_info = TC_H_MAKE(PRIO << 16, htons(ETH_P_ALL));
	msg_put(&m, TCA_KIND, "bpf", sizeof "bpf");
	options = msg_put(&m, TCA_OPTIONS, NULL, 0);
	msg_u32(&m, TCA_BPF_FD, (uint32_t)prog);
	msg_put(&m, TCA_BPF_NAME, name, strlen(name) + 1);
	msg_u32(&m, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	options->rta_len = (unsigned short)(m.bytes + NLMSG_ALIGN(m.h.nlmsg_len) - (char *)options);
	r = msg_send(s, &m);
	return r < 0 ? err_sys(e, r, "the program %s as a clsact filter", name) : 0;
}
