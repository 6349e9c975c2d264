/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "kern/nlreq.h"

/* ---- devices ---- */

static void dev_of(const struct nlmsghdr *h, struct netdev *d)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	const struct rtattr *a, *info = nlattr_of(h, sizeof *m, IFLA_LINKINFO);

	*d = (struct netdev){.index = m->ifi_index, .flags = m->ifi_flags, .type = m->ifi_type};
	d->mtu = nlattr_u32(h, sizeof *m, IFLA_MTU);
	d->master = (int)nlattr_u32(h, sizeof *m, IFLA_MASTER);
	if (!nlattr_of(h, sizeof *m, IFLA_LINK_NETNSID))
		d->below = (int)nlattr_u32(h, sizeof *m, IFLA_LINK);
	a = nlattr_of(h, sizeof *m, IFLA_IFNAME);
	if (a)
		snprintf(d->name, sizeof d->name, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
	a = nlattr_of(h, sizeof *m, IFLA_ADDRESS);
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
	int r;
};

static void walk_one(const struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	struct netdev d;

	if (w->r)
		return;
	dev_of(h, &d);
	w->r = w->each(&d, w->arg);
}

int netdev_each(int rtnl, int (*each)(const struct netdev *, void *), void *arg, struct err *e)
{
	struct walk w = {.each = each, .arg = arg};
	struct err none = ERR_INIT;
	struct nlreq q;
	int r;

	nlreq_begin(&q, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	r = nlreq_send(rtnl, &q, &(struct nlanswer){RTM_NEWLINK, sizeof(struct ifinfomsg), walk_one, &w}, NULL);
	r = r == 0 || w.r < 0 ? w.r : r;
	return r < 0 && (!e || e->code == none.code) ? err_sys(e, r, "read the interfaces") : r;
}

static void get_one(const struct nlmsghdr *h, void *arg)
{
	dev_of(h, arg);
}

int netdev_get(int rtnl, const char *name, struct netdev *out, struct err *e)
{
	struct netdev d = {0};
	struct nlreq q;
	int r;

	nlreq_begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	nlreq_text(&q, IFLA_IFNAME, name);
	r = strlen(name) < IFNAMSIZ ? nlreq_send(rtnl, &q, &(struct nlanswer){RTM_NEWLINK, sizeof(struct ifinfomsg), get_one, &d}, NULL) : -ENODEV;
	if (r == 0 && d.index == 0)
		r = -ENODEV;
	if (r < 0)
		return err_sys(e, r, "interface %s", name);
	*out = d;
	return 0;
}

static int change(int rtnl, struct nlreq *q, const char *what, int index, struct err *e)
{
	int r = nlreq_send(rtnl, q, NULL, NULL);

	return r < 0 ? err_sys(e, r, "%s of interface %d", what, index) : 0;
}

int netdev_move(int rtnl, int index, int ns, const char *name, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;

	/* with its name in the same request: the old one may be taken there */
	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
	m->ifi_index = index;
	nlreq_u32(&q, IFLA_NET_NS_FD, (uint32_t)ns);
	nlreq_text(&q, IFLA_IFNAME, name);
	return change(rtnl, &q, "another network namespace", index, e);
}

int netdev_promisc(int rtnl, int index, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;

	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
	m->ifi_index = index;
	m->ifi_flags = m->ifi_change = IFF_PROMISC;
	return change(rtnl, &q, "promiscuous mode", index, e);
}

int netdev_mtu(int rtnl, int index, uint32_t mtu, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;

	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
	m->ifi_index = index;
	nlreq_u32(&q, IFLA_MTU, mtu);
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

static void save_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct save *s = arg;

	if ((int)m->ifa_index == s->index && m->ifa_scope != RT_SCOPE_LINK)
		keep(s, h);
}

static bool over(const struct nlmsghdr *h, int index)
{
	const struct rtattr *a = nlattr_of(h, sizeof(struct rtmsg), RTA_MULTIPATH);
	int n = a ? (int)RTA_PAYLOAD(a) : 0;

	for (const struct rtnexthop *hop = a ? RTA_DATA(a) : NULL; hop && RTNH_OK(hop, n); n -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		if (hop->rtnh_ifindex == index)
			return true;
	return false;
}

static void save_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	struct save *s = arg;

	if (m->rtm_flags & RTM_F_CLONED)
		return;
	if (over(h, s->index))
		s->shared = true;
	if ((int)nlattr_u32(h, sizeof *m, RTA_OIF) != s->index || m->rtm_table == RT_TABLE_LOCAL || m->rtm_protocol == RTPROT_KERNEL || m->rtm_type != RTN_UNICAST)
		return;
	if (m->rtm_dst_len == 0)
		s->def = true;
	keep(s, h);
}

int netdev_save(int rtnl, int index, struct buf *out, bool *def, struct err *e)
{
	struct save s = {.index = index, .out = out};
	const struct nlanswer address = {RTM_NEWADDR, sizeof(struct ifaddrmsg), save_address, &s}, route = {RTM_NEWROUTE, sizeof(struct rtmsg), save_route, &s};
	struct nlreq q;
	int r;

	nlreq_begin(&q, RTM_GETADDR, NLM_F_DUMP, address.size);
	r = nlreq_send(rtnl, &q, &address, NULL);
	if (r == 0) {
		nlreq_begin(&q, RTM_GETROUTE, NLM_F_DUMP, route.size);
		r = nlreq_send(rtnl, &q, &route, NULL);
	}
	if (r < 0)
		return err_sys(e, r, "addresses and routes of interface %d", index);
	if (s.shared)
		return err_set(e, ENOTSUP, "a route of this host goes over several devices, and this is one of them");
	*def = s.def;
	return 0;
}

/* A message as it was saved, now a request for that interface. */
static void request(struct nlreq *q, const struct nlmsghdr *h, int index)
{
	struct rtattr *a;

	memcpy(q->bytes, h, h->nlmsg_len);
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	q->h.nlmsg_pid = 0;
	if (h->nlmsg_type == RTM_NEWADDR) {
		((struct ifaddrmsg *)NLMSG_DATA(&q->h))->ifa_index = (uint32_t)index;
		a = nlattr_of(&q->h, sizeof(struct ifaddrmsg), IFA_FLAGS);
		if (a && RTA_PAYLOAD(a) == 4) /* it was this host's all the time */
			*(uint32_t *)RTA_DATA(a) |= IFA_F_NODAD;
		return;
	}
	((struct rtmsg *)NLMSG_DATA(&q->h))->rtm_flags = 0;
	a = nlattr_of(&q->h, sizeof(struct rtmsg), RTA_OIF);
	if (a)
		memcpy(RTA_DATA(a), &index, sizeof index);
}

static unsigned give(int rtnl, int index, const void *saved, size_t n, uint16_t type)
{
	unsigned failed = 0;

	for (const struct nlmsghdr *h = saved; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		struct nlreq q;
		int r;

		if (h->nlmsg_type != type)
			continue;
		if (h->nlmsg_len > sizeof q.bytes) {
			failed++;
			continue;
		}
		nlreq_begin(&q, type, 0, 0);
		request(&q, h, index);
		r = nlreq_send(rtnl, &q, NULL, NULL);
		if (r < 0 && r != -EEXIST)
			failed++;
	}
	return failed;
}

int netdev_restore(int rtnl, int index, const void *saved, size_t n, unsigned *failed, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;
	unsigned bad = give(rtnl, index, saved, n, RTM_NEWADDR), last = 0, now;
	int r;

	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
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
		a = nlattr_of(h, sizeof *m, IFA_LOCAL) ?: nlattr_of(h, sizeof *m, IFA_ADDRESS);
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
	struct nlreq q;
	uint8_t no = 0;
	int r;

	nlreq_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	nlreq_text(&q, IFLA_IFNAME, name);
	nlreq_u32(&q, IFLA_MTU, mtu);
	/* made there from here: its UDP socket stays here */
	nlreq_u32(&q, IFLA_NET_NS_FD, (uint32_t)ns);
	info = nlreq_nest(&q, IFLA_LINKINFO);
	nlreq_text(&q, IFLA_INFO_KIND, "vxlan");
	data = nlreq_nest(&q, IFLA_INFO_DATA);
	nlreq_put(&q, IFLA_VXLAN_COLLECT_METADATA, &(uint8_t){1}, 1);
	nlreq_put(&q, IFLA_VXLAN_LEARNING, &no, 1);
	nlreq_put(&q, IFLA_VXLAN_PORT, &wire, sizeof wire);
	nlreq_end(&q, data);
	nlreq_end(&q, info);
	r = nlreq_send(rtnl, &q, NULL, NULL);
	if (r == -EOPNOTSUPP)
		return err_set(e, EOPNOTSUPP, "this kernel has no vxlan (CONFIG_VXLAN)");
	return r < 0 ? err_sys(e, r, "make the VXLAN interface %s, UDP port %u", name, port) : 0;
}

struct path {
	int oif;
	uint32_t mtu;
};

static void path_one(const struct nlmsghdr *h, void *arg)
{
	struct path *p = arg;

	p->oif = (int)nlattr_u32(h, sizeof(struct rtmsg), RTA_OIF);
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
	struct nlreq q;
	int r;

	m = nlreq_begin(&q, RTM_GETROUTE, 0, sizeof *m);
	m->rtm_family = (uint8_t)family;
	m->rtm_dst_len = m->rtm_src_len = (uint8_t)(len * 8);
	nlreq_put(&q, RTA_DST, to, len);
	nlreq_put(&q, RTA_SRC, from, len);
	r = nlreq_send(rtnl, &q, &(struct nlanswer){RTM_NEWROUTE, sizeof *m, path_one, &p}, NULL);
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
