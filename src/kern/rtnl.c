/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/own.h"
#include "kern/ns.h"

#define MAC_LEN 6
#define LIMIT_S 5

int rtnl_open(struct err *e)
{
	_fd_ int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct timeval limit = {.tv_sec = LIMIT_S};
	int one = 1;

	if (s < 0)
		return err_sys(e, errno, "rtnetlink socket");
	/* an error in words, and without our own question sent back */
	setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
	setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	/* in a zone's namespace others may fill our queue, so that an answer of the kernel finds no room */
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return take_fd(&s);
}

int rtnl_open_in(int ns, struct err *e)
{
	_fd_ int home = ns_open(0, "net", e);
	int s;

	if (home < 0)
		return home;
	if (setns(ns, CLONE_NEWNET) < 0)
		return err_sys(e, errno, "enter a network namespace");
	s = rtnl_open(e);
	ns_home(home);
	return s;
}

/* ---- a request: header, the family's own struct, attributes, which may be nested ---- */

struct req {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
	bool full;
};

static void *req_body(struct req *q, uint16_t type, uint16_t flags, size_t n)
{
	memset(q, 0, sizeof *q);
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	q->h.nlmsg_len = NLMSG_LENGTH(n);
	return NLMSG_DATA(&q->h);
}

/* Room for n bytes behind what there is; NULL when it is full, which req_send() tells. */
static void *req_room(struct req *q, size_t n)
{
	size_t at = NLMSG_ALIGN(q->h.nlmsg_len);

	if (q->full || at + n > sizeof q->bytes) {
		q->full = true;
		return NULL;
	}
	q->h.nlmsg_len = (uint32_t)(at + n);
	return q->bytes + at;
}

static struct rtattr *req_put(struct req *q, unsigned short type, const void *data, size_t n)
{
	struct rtattr *a = req_room(q, RTA_LENGTH(n));

	if (!a)
		return NULL;
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	return a;
}

static void req_text(struct req *q, unsigned short type, const char *s)
{
	req_put(q, type, s, strlen(s) + 1);
}

static void req_u32(struct req *q, unsigned short type, uint32_t v)
{
	req_put(q, type, &v, sizeof v);
}

static struct rtattr *req_nest(struct req *q, unsigned short type)
{
	return req_put(q, type, NULL, 0);
}

static void req_end(struct req *q, struct rtattr *nest)
{
	if (nest && !q->full)
		nest->rta_len = (unsigned short)(q->bytes + NLMSG_ALIGN(q->h.nlmsg_len) - (char *)nest);
}

/* The kernel's own words for an error, if it has any; in out, empty without. Nothing behind n is read. */
static void words(const struct nlmsghdr *h, size_t n, char out[128])
{
	const struct nlmsgerr *m = (const void *)((const char *)h + NLMSG_HDRLEN);
	size_t at = NLMSG_HDRLEN + sizeof *m;

	out[0] = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || n < at)
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += m->msg.nlmsg_len > sizeof m->msg ? NLMSG_ALIGN(m->msg.nlmsg_len) - sizeof m->msg : 0;
	while (at + sizeof(struct nlattr) <= n) {
		const struct nlattr *a = (const void *)((const char *)h + at);
		const char *text = (const char *)(a + 1);

		if (a->nla_len < sizeof *a || at + a->nla_len > n)
			return;
		if ((a->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			snprintf(out, 128, " (%.*s)", (int)strnlen(text, a->nla_len - sizeof *a), text);
		at += NLMSG_ALIGN(a->nla_len);
	}
}

static void link_of(const struct nlmsghdr *h, struct rtnl_link *out)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	size_t n = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);

	*out = (struct rtnl_link){.index = m->ifi_index, .up = m->ifi_flags & IFF_UP, .running = m->ifi_flags & IFF_RUNNING};
	for (const struct rtattr *a = IFLA_RTA(m); RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		size_t len = RTA_PAYLOAD(a);

		if (a->rta_type == IFLA_IFNAME)
			snprintf(out->name, sizeof out->name, "%.*s", (int)len, (const char *)RTA_DATA(a));
		else if (a->rta_type == IFLA_ADDRESS && len == MAC_LEN)
			memcpy(out->mac, RTA_DATA(a), MAC_LEN);
		else if (a->rta_type == IFLA_MTU && len == 4)
			memcpy(&out->mtu, RTA_DATA(a), 4);
		else if (a->rta_type == IFLA_LINK && len == 4)
			memcpy(&out->peer, RTA_DATA(a), 4);
	}
}

/* Sends it and waits for the answer: *link is what a reply of RTM_NEWLINK tells. 0 or -errno. */
static int req_send(int s, struct req *q, struct rtnl_link *link, char why[128])
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	union {
		struct nlmsghdr h;
		char bytes[8192];
	} b;
	uint64_t now = clock_mono_ns();
	ssize_t n;

	why[0] = 0;
	if (q->full)
		return -EMSGSIZE;
	/* an answer that came too late for its question is none to the next */
	q->h.nlmsg_seq = (uint32_t)now;
	do
		n = sendto(s, q->bytes, q->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof from;
		struct nlmsghdr *h = &b.h;

		n = recvfrom(s, b.bytes, sizeof b.bytes, 0, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		/* a process of that namespace, who may go on for ever */
		if (from.nl_pid != 0 && clock_mono_ns() - now > LIMIT_S * 1000000000ULL)
			return -ETIMEDOUT;
		if (from.nl_pid != 0)
			continue;
		for (; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != q->h.nlmsg_seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
				const struct nlmsgerr *m = NLMSG_DATA(h);

				if (m->error)
					words(h, h->nlmsg_len, why);
				return m->error;
			}
			if (h->nlmsg_type == RTM_NEWLINK && link && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
				link_of(h, link);
		}
	}
}

/* ---- links ---- */

static bool name_fits(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < IFNAMSIZ;
}

static void put_link(struct req *q, const char *name, const uint8_t *mac, uint32_t mtu, uint32_t queues, uint32_t txqlen)
{
	req_text(q, IFLA_IFNAME, name);
	if (mac)
		req_put(q, IFLA_ADDRESS, mac, MAC_LEN);
	if (mtu)
		req_u32(q, IFLA_MTU, mtu);
	req_u32(q, IFLA_NUM_TX_QUEUES, queues ? queues : 1);
	req_u32(q, IFLA_NUM_RX_QUEUES, queues ? queues : 1);
	if (txqlen)
		req_u32(q, IFLA_TXQLEN, txqlen);
}

int rtnl_veth(int s, const struct rtnl_veth *v, struct err *e)
{
	struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct rtattr *info, *data, *in;
	struct req q;
	char why[128];
	int r;

	if (!name_fits(v->name) || !name_fits(v->peer))
		return err_set(e, EINVAL, "\"%s\": the name of an interface has 1 to %d bytes", name_fits(v->name) ? v->peer : v->name, IFNAMSIZ - 1);
	*(struct ifinfomsg *)req_body(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof peer) = peer;
	put_link(&q, v->name, v->mac, v->mtu, v->queues, v->txqlen);
	info = req_nest(&q, IFLA_LINKINFO);
	req_text(&q, IFLA_INFO_KIND, "veth");
	data = req_nest(&q, IFLA_INFO_DATA);
	in = req_put(&q, VETH_INFO_PEER, &peer, sizeof peer);
	put_link(&q, v->peer, v->peer_mac, v->mtu, v->queues, v->txqlen);
	if (v->peer_ns >= 0)
		req_u32(&q, IFLA_NET_NS_FD, (uint32_t)v->peer_ns);
	req_end(&q, in);
	req_end(&q, data);
	req_end(&q, info);
	r = req_send(s, &q, NULL, why);
	return r < 0 ? err_sys(e, r, "make the interfaces %s and %s%s", v->name, v->peer, why) : 0;
}

int rtnl_index(int s, const char *name, struct err *e)
{
	struct rtnl_link l = {0};
	struct req q;
	char why[128];
	int r;

	if (!name_fits(name))
		return err_set(e, EINVAL, "\"%s\": the name of an interface has 1 to %d bytes", name, IFNAMSIZ - 1);
	req_body(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	req_text(&q, IFLA_IFNAME, name);
	r = req_send(s, &q, &l, why);
	if (r == 0 && l.index <= 0)
		r = -ENODEV;
	return r < 0 ? err_sys(e, r, "interface %s%s", name, why) : l.index;
}

int rtnl_get(int s, int index, struct rtnl_link *out, struct err *e)
{
	struct rtnl_link l = {0};
	struct ifinfomsg *m;
	struct req q;
	char why[128];
	int r;

	m = req_body(&q, RTM_GETLINK, 0, sizeof *m);
	m->ifi_index = index;
	r = req_send(s, &q, &l, why);
	if (r == 0 && l.index != index)
		r = -ENODEV;
	if (r < 0)
		return err_sys(e, r, "interface %d%s", index, why);
	*out = l;
	return 0;
}

int rtnl_has(int s, int index, struct err *e)
{
	struct rtnl_link l;
	struct err miss = ERR_INIT;
	int r = rtnl_get(s, index, &l, &miss);

	if (r == -ENODEV)
		return 0;
	if (r < 0 && e)
		*e = miss;
	return r < 0 ? r : 1;
}

static int change(int s, int index, unsigned flags, unsigned mask, const char *what, struct err *e)
{
	struct ifinfomsg *m;
	struct req q;
	char why[128];
	int r;

	m = req_body(&q, RTM_NEWLINK, 0, sizeof *m);
	m->ifi_index = index;
	m->ifi_flags = flags;
	m->ifi_change = mask;
	r = req_send(s, &q, NULL, why);
	return r < 0 ? err_sys(e, r, "%s of interface %d%s", what, index, why) : 0;
}

int rtnl_up(int s, int index, bool up, struct err *e)
{
	return change(s, index, up ? IFF_UP : 0, IFF_UP, up ? "start" : "stop", e);
}

int rtnl_delete(int s, int index, struct err *e)
{
	struct ifinfomsg *m;
	struct req q;
	char why[128];
	int r;

	m = req_body(&q, RTM_DELLINK, 0, sizeof *m);
	m->ifi_index = index;
	r = req_send(s, &q, NULL, why);
	return r < 0 && r != -ENODEV ? err_sys(e, r, "remove interface %d%s", index, why) : 0;
}

/* ---- addresses and routes ---- */

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static int address(int s, uint16_t type, uint16_t how, int index, int family, const void *addr, unsigned prefix, char why[128])
{
	struct ifaddrmsg *m;
	struct req q;

	m = req_body(&q, type, how, sizeof *m);
	m->ifa_family = (uint8_t)family;
	m->ifa_prefixlen = (uint8_t)prefix;
	m->ifa_index = (uint32_t)index;
	req_put(&q, IFA_LOCAL, addr, addr_len(family));
	req_put(&q, IFA_ADDRESS, addr, addr_len(family));
	if (type == RTM_NEWADDR && family == AF_INET6)
		/* the switch knows whose it is: no need to ask for a second whether it is free */
		req_u32(&q, IFA_FLAGS, IFA_F_NODAD);
	if (type == RTM_NEWADDR && family == AF_INET && prefix < 31) {
		uint32_t b, mask = prefix ? __builtin_bswap32(~0u << (32 - prefix)) : 0;

		memcpy(&b, addr, sizeof b);
		b |= ~mask;
		req_put(&q, IFA_BROADCAST, &b, sizeof b);
	}
	return req_send(s, &q, NULL, why);
}

int rtnl_address(int s, int index, int family, const void *addr, unsigned prefix, struct err *e)
{
	char why[128];
	int r = address(s, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, family, addr, prefix, why);

	return r < 0 && r != -EEXIST ? err_sys(e, r, "address of interface %d%s", index, why) : 0;
}

int rtnl_address_gone(int s, int index, int family, const void *addr, unsigned prefix, struct err *e)
{
	char why[128];
	int r = address(s, RTM_DELADDR, 0, index, family, addr, prefix, why);

	return r < 0 && r != -EADDRNOTAVAIL && r != -ENODEV ? err_sys(e, r, "address of interface %d%s", index, why) : 0;
}

static int route(int s, uint16_t type, uint16_t how, int index, int family, const void *to, unsigned prefix, const void *gateway, char why[128])
{
	struct rtmsg *m;
	struct req q;

	m = req_body(&q, type, how, sizeof *m);
	m->rtm_family = (uint8_t)family;
	m->rtm_dst_len = to ? (uint8_t)prefix : 0;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	if (to)
		req_put(&q, RTA_DST, to, addr_len(family));
	if (gateway)
		req_put(&q, RTA_GATEWAY, gateway, addr_len(family));
	if (index)
		req_u32(&q, RTA_OIF, (uint32_t)index);
	return req_send(s, &q, NULL, why);
}

int rtnl_route(int s, int index, int family, const void *to, unsigned prefix, const void *gateway, struct err *e)
{
	char why[128];
	int r = route(s, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, family, to, prefix, gateway, why);

	return r < 0 && r != -EEXIST ? err_sys(e, r, "route%s", why) : 0;
}

int rtnl_route_gone(int s, int index, int family, const void *to, unsigned prefix, const void *gateway, struct err *e)
{
	char why[128];
	int r = route(s, RTM_DELROUTE, 0, index, family, to, prefix, gateway, why);

	return r < 0 && r != -ESRCH && r != -ENODEV ? err_sys(e, r, "route%s", why) : 0;
}
