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
#include "kern/nlreq.h"
#include "kern/ns.h"

#define MAC_LEN 6

int rtnl_open(struct err *e)
{
	_fd_ int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct timeval limit = {.tv_sec = NLREQ_LIMIT_S};
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

static void link_of(const struct nlmsghdr *h, void *arg)
{
	struct rtnl_link *out = arg;
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

/* *link is what a reply of RTM_NEWLINK tells. */
static int req_send(int s, struct nlreq *q, struct rtnl_link *link, char why[128])
{
	struct nlanswer a = {RTM_NEWLINK, sizeof(struct ifinfomsg), link_of, link};

	return nlreq_send(s, q, link ? &a : NULL, why);
}

/* ---- links ---- */

static bool name_fits(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < IFNAMSIZ;
}

static void put_link(struct nlreq *q, const char *name, const uint8_t *mac, uint32_t mtu, uint32_t queues, uint32_t txqlen)
{
	nlreq_text(q, IFLA_IFNAME, name);
	if (mac)
		nlreq_put(q, IFLA_ADDRESS, mac, MAC_LEN);
	if (mtu)
		nlreq_u32(q, IFLA_MTU, mtu);
	nlreq_u32(q, IFLA_NUM_TX_QUEUES, queues ? queues : 1);
	nlreq_u32(q, IFLA_NUM_RX_QUEUES, queues ? queues : 1);
	if (txqlen)
		nlreq_u32(q, IFLA_TXQLEN, txqlen);
}

int rtnl_veth(int s, const struct rtnl_veth *v, struct err *e)
{
	struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct rtattr *info, *data, *in;
	struct nlreq q;
	char why[128];
	int r;

	if (!name_fits(v->name) || !name_fits(v->peer))
		return err_set(e, EINVAL, "\"%s\": the name of an interface has 1 to %d bytes", name_fits(v->name) ? v->peer : v->name, IFNAMSIZ - 1);
	*(struct ifinfomsg *)nlreq_begin(&q, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof peer) = peer;
	put_link(&q, v->name, v->mac, v->mtu, v->queues, v->txqlen);
	info = nlreq_nest(&q, IFLA_LINKINFO);
	nlreq_text(&q, IFLA_INFO_KIND, "veth");
	data = nlreq_nest(&q, IFLA_INFO_DATA);
	in = nlreq_put(&q, VETH_INFO_PEER, &peer, sizeof peer);
	put_link(&q, v->peer, v->peer_mac, v->mtu, v->queues, v->txqlen);
	if (v->peer_ns >= 0)
		nlreq_u32(&q, IFLA_NET_NS_FD, (uint32_t)v->peer_ns);
	nlreq_end(&q, in);
	nlreq_end(&q, data);
	nlreq_end(&q, info);
	r = req_send(s, &q, NULL, why);
	return r < 0 ? err_sys(e, r, "make the interfaces %s and %s%s", v->name, v->peer, why) : 0;
}

int rtnl_index(int s, const char *name, struct err *e)
{
	struct rtnl_link l = {0};
	struct nlreq q;
	char why[128];
	int r;

	if (!name_fits(name))
		return err_set(e, EINVAL, "\"%s\": the name of an interface has 1 to %d bytes", name, IFNAMSIZ - 1);
	nlreq_begin(&q, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	nlreq_text(&q, IFLA_IFNAME, name);
	r = req_send(s, &q, &l, why);
	if (r == 0 && l.index <= 0)
		r = -ENODEV;
	return r < 0 ? err_sys(e, r, "interface %s%s", name, why) : l.index;
}

int rtnl_get(int s, int index, struct rtnl_link *out, struct err *e)
{
	struct rtnl_link l = {0};
	struct ifinfomsg *m;
	struct nlreq q;
	char why[128];
	int r;

	m = nlreq_begin(&q, RTM_GETLINK, 0, sizeof *m);
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
	struct nlreq q;
	char why[128];
	int r;

	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
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

int rtnl_mtu(int s, int index, uint32_t mtu, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;
	char why[128];
	int r;

	m = nlreq_begin(&q, RTM_NEWLINK, 0, sizeof *m);
	m->ifi_index = index;
	nlreq_u32(&q, IFLA_MTU, mtu);
	r = req_send(s, &q, NULL, why);
	return r < 0 ? err_sys(e, r, "MTU %u of interface %d%s", mtu, index, why) : 0;
}

int rtnl_delete(int s, int index, struct err *e)
{
	struct ifinfomsg *m;
	struct nlreq q;
	char why[128];
	int r;

	m = nlreq_begin(&q, RTM_DELLINK, 0, sizeof *m);
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
	struct nlreq q;

	m = nlreq_begin(&q, type, how, sizeof *m);
	m->ifa_family = (uint8_t)family;
	m->ifa_prefixlen = (uint8_t)prefix;
	m->ifa_index = (uint32_t)index;
	nlreq_put(&q, IFA_LOCAL, addr, addr_len(family));
	nlreq_put(&q, IFA_ADDRESS, addr, addr_len(family));
	if (type == RTM_NEWADDR && family == AF_INET6)
		/* the switch knows whose it is: no need to ask for a second whether it is free */
		nlreq_u32(&q, IFA_FLAGS, IFA_F_NODAD);
	if (type == RTM_NEWADDR && family == AF_INET && prefix < 31) {
		uint32_t b, mask = prefix ? __builtin_bswap32(~0u << (32 - prefix)) : 0;

		memcpy(&b, addr, sizeof b);
		b |= ~mask;
		nlreq_put(&q, IFA_BROADCAST, &b, sizeof b);
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
	struct nlreq q;

	m = nlreq_begin(&q, type, how, sizeof *m);
	m->rtm_family = (uint8_t)family;
	m->rtm_dst_len = to ? (uint8_t)prefix : 0;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	if (to)
		nlreq_put(&q, RTA_DST, to, addr_len(family));
	if (gateway)
		nlreq_put(&q, RTA_GATEWAY, gateway, addr_len(family));
	if (index)
		nlreq_u32(&q, RTA_OIF, (uint32_t)index);
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
