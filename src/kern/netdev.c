/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/own.h"

#define ANSWER 65536 /* of a dump: the kernel fills at most 32 KiB at a time */

/* ---- asking ---- */

struct ask {
	union {
		struct nlmsghdr h;
		char bytes[1024];
	};
};

static void *ask_body(struct ask *q, uint16_t type, uint16_t flags, size_t n)
{
	memset(q, 0, sizeof *q);
	q->h.nlmsg_type = type;
	q->h.nlmsg_flags = NLM_F_REQUEST | flags;
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(n);
	q->h.nlmsg_seq = (uint32_t)clock_mono_ns(); /* an answer that came too late is none to the next question */
	return NLMSG_DATA(&q->h);
}

static struct rtattr *ask_put(struct ask *q, unsigned short type, const void *data, size_t n)
{
	struct rtattr *a = (void *)(q->bytes + NLMSG_ALIGN(q->h.nlmsg_len));

	if ((char *)a + RTA_SPACE(n) > q->bytes + sizeof q->bytes)
		return NULL;
	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), data, n);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(n)));
	return a;
}

static void ask_end(struct ask *q, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)(q->bytes + q->h.nlmsg_len - (char *)nest);
}

static int ask_send(int s, const struct nlmsghdr *h)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t n;

	do
		n = sendto(s, h, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Sends it and calls each for what comes back, until the end or the acknowledgement. */
static int ask(int s, const struct nlmsghdr *q, int (*each)(const struct nlmsghdr *, void *), void *arg)
{
	_free_ char *b = xalloc(ANSWER);
	int r = ask_send(s, q), stop = 0;

	while (r == 0) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(s, b, ANSWER, 0, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (from.nl_pid != 0)
			continue;
		for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != q->nlmsg_seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return stop;
			if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
				return stop < 0 ? stop : ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (each && stop == 0)
				stop = each(h, arg);
		}
	}
	return r;
}

static struct rtattr *attr(const struct nlmsghdr *h, size_t body, unsigned short type)
{
	int n = (int)h->nlmsg_len - (int)NLMSG_LENGTH(body);

	for (struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(body)); RTA_OK(a, n); a = RTA_NEXT(a, n))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

static uint32_t attr_u32(const struct nlmsghdr *h, size_t body, unsigned short type)
{
	const struct rtattr *a = attr(h, body, type);
	uint32_t v = 0;

	if (a && RTA_PAYLOAD(a) >= sizeof v)
		memcpy(&v, RTA_DATA(a), sizeof v);
	return v;
}

/* ---- devices ---- */

static void dev_of(const struct nlmsghdr *h, struct netdev *d)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	const struct rtattr *a, *info = attr(h, sizeof *m, IFLA_LINKINFO);

	*d = (struct netdev){.index = m->ifi_index, .flags = m->ifi_flags, .type = m->ifi_type};
	d->mtu = attr_u32(h, sizeof *m, IFLA_MTU);
	d->master = (int)attr_u32(h, sizeof *m, IFLA_MASTER);
	if (!attr(h, sizeof *m, IFLA_LINK_NETNSID))
		d->below = (int)attr_u32(h, sizeof *m, IFLA_LINK);
	a = attr(h, sizeof *m, IFLA_IFNAME);
	if (a)
		snprintf(d->name, sizeof d->name, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
	a = attr(h, sizeof *m, IFLA_ADDRESS);
	if (a && RTA_PAYLOAD(a) == sizeof d->mac)
		memcpy(d->mac, RTA_DATA(a), sizeof d->mac);
	if (info) {
		int n = (int)RTA_PAYLOAD(info);

		for (a = RTA_DATA(info); RTA_OK(a, n); a = RTA_NEXT(a, n))
			if (a->rta_type == IFLA_INFO_KIND)
				snprintf(d->kind, sizeof d->kind, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
	}
}

struct walk {
	int (*each)(const struct netdev *, void *);
	void *arg;
};

static int walk_one(const struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	struct netdev d;

	if (h->nlmsg_type != RTM_NEWLINK || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return 0;
	dev_of(h, &d);
	return w->each(&d, w->arg);
}

int netdev_each(int rtnl, int (*each)(const struct netdev *, void *), void *arg, struct err *e)
{
	struct walk w = {each, arg};
	struct err none = ERR_INIT;
	struct ask q;
	int r;

	ask_body(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	r = ask(rtnl, &q.h, walk_one, &w);
	return r < 0 && (!e || e->code == none.code) ? err_sys(e, r, "read the interfaces") : r;
}

static int get_one(const struct nlmsghdr *h, void *arg)
{
	if (h->nlmsg_type == RTM_NEWLINK && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		dev_of(h, arg);
	return 0;
}

int netdev_get(int rtnl, const char *name, struct netdev *out, struct err *e)
{
	struct netdev d = {0};
	struct ask q;
	int r;

	ask_body(&q, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	ask_put(&q, IFLA_IFNAME, name, strnlen(name, IFNAMSIZ - 1) + 1);
	r = strlen(name) < IFNAMSIZ ? ask(rtnl, &q.h, get_one, &d) : -ENODEV;
	if (r == 0 && d.index == 0)
		r = -ENODEV;
	if (r < 0)
		return err_sys(e, r, "interface %s", name);
	*out = d;
	return 0;
}

static int change(int rtnl, struct ask *q, const char *what, int index, struct err *e)
{
	int r = ask(rtnl, &q->h, NULL, NULL);

	return r < 0 ? err_sys(e, r, "%s of interface %d", what, index) : 0;
}

int netdev_move(int rtnl, int index, int ns, const char *name, struct err *e)
{
	struct ifinfomsg *m;
	struct ask q;

	/* with its name in the same request: the old one may be taken there */
	m = ask_body(&q, RTM_NEWLINK, NLM_F_ACK, sizeof *m);
	m->ifi_index = index;
	ask_put(&q, IFLA_NET_NS_FD, &ns, sizeof ns);
	ask_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return change(rtnl, &q, "another network namespace", index, e);
}

int netdev_promisc(int rtnl, int index, struct err *e)
{
	struct ifinfomsg *m;
	struct ask q;

	m = ask_body(&q, RTM_NEWLINK, NLM_F_ACK, sizeof *m);
	m->ifi_index = index;
	m->ifi_flags = m->ifi_change = IFF_PROMISC;
	return change(rtnl, &q, "promiscuous mode", index, e);
}

int netdev_mtu(int rtnl, int index, uint32_t mtu, struct err *e)
{
	struct ifinfomsg *m;
	struct ask q;

	m = ask_body(&q, RTM_NEWLINK, NLM_F_ACK, sizeof *m);
	m->ifi_index = index;
	ask_put(&q, IFLA_MTU, &mtu, sizeof mtu);
	return change(rtnl, &q, "MTU", index, e);
}

/* ---- what it has ---- */

struct save {
	int index;
	struct buf *out;
	bool def, shared;
};

static void keep(struct save *s, const struct nlmsghdr *h)
{
	static const char pad[NLMSG_ALIGNTO];

	buf_add(s->out, h, h->nlmsg_len);
	buf_add(s->out, pad, NLMSG_ALIGN(h->nlmsg_len) - h->nlmsg_len);
}

static int save_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct save *s = arg;

	if (h->nlmsg_type == RTM_NEWADDR && h->nlmsg_len >= NLMSG_LENGTH(sizeof *m) && (int)m->ifa_index == s->index && m->ifa_scope != RT_SCOPE_LINK)
		keep(s, h);
	return 0;
}

static bool over(const struct nlmsghdr *h, int index)
{
	const struct rtattr *a = attr(h, sizeof(struct rtmsg), RTA_MULTIPATH);
	int n = a ? (int)RTA_PAYLOAD(a) : 0;

	for (const struct rtnexthop *hop = a ? RTA_DATA(a) : NULL; hop && RTNH_OK(hop, n); n -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		if (hop->rtnh_ifindex == index)
			return true;
	return false;
}

static int save_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	struct save *s = arg;

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof *m) || (m->rtm_flags & RTM_F_CLONED))
		return 0;
	if (over(h, s->index))
		s->shared = true;
	if ((int)attr_u32(h, sizeof *m, RTA_OIF) != s->index || m->rtm_table == RT_TABLE_LOCAL || m->rtm_protocol == RTPROT_KERNEL || m->rtm_type != RTN_UNICAST)
		return 0;
	if (m->rtm_dst_len == 0)
		s->def = true;
	keep(s, h);
	return 0;
}

int netdev_save(int rtnl, int index, struct buf *out, bool *def, struct err *e)
{
	struct save s = {.index = index, .out = out};
	static const uint16_t what[] = {RTM_GETADDR, RTM_GETROUTE};
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		struct ask q;

		ask_body(&q, what[i], NLM_F_DUMP, i ? sizeof(struct rtmsg) : sizeof(struct ifaddrmsg));
		r = ask(rtnl, &q.h, i ? save_route : save_address, &s);
	}
	if (r < 0)
		return err_sys(e, r, "addresses and routes of interface %d", index);
	if (s.shared)
		return err_set(e, ENOTSUP, "a route of this host goes over several devices, and this is one of them");
	*def = s.def;
	return 0;
}

/* A message as it was saved, now a request for that interface. */
static void request(struct ask *q, const struct nlmsghdr *h, int index)
{
	struct rtattr *a;

	memcpy(q->bytes, h, h->nlmsg_len);
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	q->h.nlmsg_pid = 0;
	if (h->nlmsg_type == RTM_NEWADDR) {
		((struct ifaddrmsg *)NLMSG_DATA(&q->h))->ifa_index = (uint32_t)index;
		a = attr(&q->h, sizeof(struct ifaddrmsg), IFA_FLAGS);
		if (a && RTA_PAYLOAD(a) == 4) /* it was this host's all the time */
			*(uint32_t *)RTA_DATA(a) |= IFA_F_NODAD;
		return;
	}
	((struct rtmsg *)NLMSG_DATA(&q->h))->rtm_flags = 0;
	a = attr(&q->h, sizeof(struct rtmsg), RTA_OIF);
	if (a)
		memcpy(RTA_DATA(a), &index, sizeof index);
}

static unsigned give(int rtnl, int index, const void *saved, size_t n, uint16_t type)
{
	unsigned failed = 0;

	for (const struct nlmsghdr *h = saved; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		struct ask q;
		uint32_t seq;
		int r;

		if (h->nlmsg_type != type)
			continue;
		if (h->nlmsg_len > sizeof q.bytes) {
			failed++;
			continue;
		}
		ask_body(&q, type, 0, 0);
		seq = q.h.nlmsg_seq;
		request(&q, h, index);
		q.h.nlmsg_seq = seq;
		r = ask(rtnl, &q.h, NULL, NULL);
		if (r < 0 && r != -EEXIST)
			failed++;
	}
	return failed;
}

int netdev_restore(int rtnl, int index, const void *saved, size_t n, unsigned *failed, struct err *e)
{
	struct ifinfomsg *m;
	struct ask q;
	unsigned bad = give(rtnl, index, saved, n, RTM_NEWADDR), last = 0, now;
	int r;

	m = ask_body(&q, RTM_NEWLINK, NLM_F_ACK, sizeof *m);
	m->ifi_index = index;
	m->ifi_flags = m->ifi_change = IFF_UP;
	r = change(rtnl, &q, "start", index, e);
	if (r < 0)
		return r;
	/* a gateway's own route may come after the route that needs it */
	now = give(rtnl, index, saved, n, RTM_NEWROUTE);
	while (now && now != last) {
		last = now;
		now = give(rtnl, index, saved, n, RTM_NEWROUTE);
	}
	*failed = bad + now;
	return 0;
}

int netdev_addresses(const void *saved, size_t n, int (*each)(int, const uint8_t *, unsigned, void *), void *arg)
{
	int r = 0;

	for (const struct nlmsghdr *h = saved; r >= 0 && NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		const struct ifaddrmsg *m = NLMSG_DATA(h);
		const struct rtattr *a;

		if (h->nlmsg_type != RTM_NEWADDR || h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
			continue;
		a = attr(h, sizeof *m, IFA_LOCAL) ?: attr(h, sizeof *m, IFA_ADDRESS);
		if (a && RTA_PAYLOAD(a) == (m->ifa_family == AF_INET ? 4 : 16))
			r = each(m->ifa_family, RTA_DATA(a), m->ifa_prefixlen, arg);
	}
	return r;
}

/* ---- VXLAN ---- */

int netdev_vxlan(int rtnl, int ns, const char *name, uint16_t port, uint32_t mtu, struct err *e)
{
	uint16_t wire = htons(port);
	struct rtattr *info, *data;
	struct ask q;
	uint8_t no = 0;
	int r;

	ask_body(&q, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	ask_put(&q, IFLA_IFNAME, name, strlen(name) + 1);
	ask_put(&q, IFLA_MTU, &mtu, sizeof mtu);
	/* made there from here: its UDP socket stays here */
	ask_put(&q, IFLA_NET_NS_FD, &ns, sizeof ns);
	info = ask_put(&q, IFLA_LINKINFO, NULL, 0);
	ask_put(&q, IFLA_INFO_KIND, "vxlan", 6);
	data = ask_put(&q, IFLA_INFO_DATA, NULL, 0);
	ask_put(&q, IFLA_VXLAN_COLLECT_METADATA, &(uint8_t){1}, 1);
	ask_put(&q, IFLA_VXLAN_LEARNING, &no, 1);
	ask_put(&q, IFLA_VXLAN_PORT, &wire, sizeof wire);
	ask_end(&q, data);
	ask_end(&q, info);
	r = ask(rtnl, &q.h, NULL, NULL);
	if (r == -EOPNOTSUPP)
		return err_set(e, EOPNOTSUPP, "this kernel has no vxlan (CONFIG_VXLAN)");
	return r < 0 ? err_sys(e, r, "make the VXLAN interface %s, UDP port %u", name, port) : 0;
}

struct path {
	int oif;
	uint32_t mtu;
};

static int path_one(const struct nlmsghdr *h, void *arg)
{
	struct path *p = arg;

	if (h->nlmsg_type == RTM_NEWROUTE && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg)))
		p->oif = (int)attr_u32(h, sizeof(struct rtmsg), RTA_OIF);
	return 0;
}

static int mtu_of(const struct netdev *d, void *arg)
{
	struct path *p = arg;

	if (d->index == p->oif)
		p->mtu = d->mtu;
	return 0;
}

int netdev_path_mtu(int rtnl, int family, const void *to, const void *from, uint32_t *mtu, struct err *e)
{
	size_t len = family == AF_INET ? 4 : 16;
	struct path p = {0};
	struct rtmsg *m;
	struct ask q;
	int r;

	m = ask_body(&q, RTM_GETROUTE, NLM_F_ACK, sizeof *m);
	m->rtm_family = (uint8_t)family;
	m->rtm_dst_len = m->rtm_src_len = (uint8_t)(len * 8);
	ask_put(&q, RTA_DST, to, len);
	ask_put(&q, RTA_SRC, from, len);
	r = ask(rtnl, &q.h, path_one, &p);
	if (r == 0 && p.oif == 0)
		r = -ENETUNREACH;
	if (r < 0)
		return err_sys(e, r, "the way there");
	r = netdev_each(rtnl, mtu_of, &p, e);
	if (r < 0 || p.mtu == 0)
		return r < 0 ? r : err_sys(e, ENODEV, "the way there");
	*mtu = p.mtu;
	return 0;
}
