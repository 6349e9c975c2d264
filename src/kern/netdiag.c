/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/netdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/own.h"

#define LISTENS  (1u << 10) /* TCP_LISTEN */
#define BOUND    (1u << 7)  /* TCP_CLOSE: what an unconnected UDP socket is in */
#define MAC_LEN  6

static int parse_sock(enum net_kind k, const char *p, size_t n, struct net_item *out)
{
	struct inet_diag_msg m;

	if (n < sizeof m)
		return 0;
	memcpy(&m, p, sizeof m);
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return 0;
	*out = (struct net_item){.kind = k, .family = m.idiag_family, .port = ntohs(m.id.idiag_sport), .inode = m.idiag_inode,
				 .index = (int)m.id.idiag_if};
	memcpy(out->addr, m.id.idiag_src, m.idiag_family == AF_INET ? 4 : 16);
	return 1;
}

/* The attribute of this type among those in p, its length in *len; NULL. */
static const char *attribute(const char *p, size_t n, unsigned type, size_t *len)
{
	struct rtattr a;

	while (n >= sizeof a) {
		size_t whole;

		memcpy(&a, p, sizeof a);
		if (a.rta_len < sizeof a || a.rta_len > n)
			return NULL;
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*len = a.rta_len - sizeof a;
			return p + sizeof a;
		}
		whole = RTA_ALIGN(a.rta_len);
		if (whole > n)
			return NULL;
		p += whole;
		n -= whole;
	}
	return NULL;
}

static int parse_addr(const char *p, size_t n, struct net_item *out)
{
	size_t head = NLMSG_ALIGN(sizeof(struct ifaddrmsg)), want, len = 0;
	struct ifaddrmsg m;
	const char *a;

	if (n < head)
		return 0;
	memcpy(&m, p, sizeof m);
	if (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)
		return 0;
	want = m.ifa_family == AF_INET ? 4 : 16;
	/* of a link between two, the local end */
	a = attribute(p + head, n - head, IFA_LOCAL, &len);
	if (!a)
		a = attribute(p + head, n - head, IFA_ADDRESS, &len);
	if (!a || len < want)
		return 0;
	*out = (struct net_item){.kind = NET_ADDR, .family = m.ifa_family, .index = (int)m.ifa_index};
	memcpy(out->addr, a, want);
	return 1;
}

static int parse_link(const char *p, size_t n, struct net_item *out)
{
	size_t head = NLMSG_ALIGN(sizeof(struct ifinfomsg)), len = 0;
	struct ifinfomsg m;
	const char *a;

	if (n < head)
		return 0;
	memcpy(&m, p, sizeof m);
	*out = (struct net_item){.kind = NET_LINK, .index = m.ifi_index};
	a = attribute(p + head, n - head, IFLA_IFNAME, &len);
	if (a)
		memcpy(out->name, a, strnlen(a, len < sizeof out->name ? len : sizeof out->name - 1));
	a = attribute(p + head, n - head, IFLA_ADDRESS, &len);
	if (!a || len != MAC_LEN)
		return 0;
	memcpy(out->addr, a, MAC_LEN);
	return 1;
}

int net_parse(enum net_kind k, const void *msg, size_t n, struct net_item *out)
{
	struct nlmsghdr h;
	const char *p = msg;
	struct net_item it;
	int r = 0;

	if (n < NLMSG_HDRLEN)
		return 0;
	memcpy(&h, p, sizeof h);
	if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > n)
		return 0;
	p += NLMSG_HDRLEN;
	n = h.nlmsg_len - NLMSG_HDRLEN;
	switch (k) {
	case NET_TCP:
	case NET_UDP: r = h.nlmsg_type == SOCK_DIAG_BY_FAMILY ? parse_sock(k, p, n, &it) : 0; break;
	case NET_ADDR: r = h.nlmsg_type == RTM_NEWADDR ? parse_addr(p, n, &it) : 0; break;
	case NET_LINK: r = h.nlmsg_type == RTM_NEWLINK ? parse_link(p, n, &it) : 0; break;
	}
	if (r == 1)
		*out = it;
	return r;
}

int net_parse_end(const void *msg, size_t n)
{
	struct nlmsghdr h;
	int code = 0;

	if (n < NLMSG_HDRLEN)
		return -EBADMSG;
	memcpy(&h, msg, sizeof h);
	if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > n)
		return -EBADMSG;
	if (h.nlmsg_type != NLMSG_DONE && h.nlmsg_type != NLMSG_ERROR)
		return 1;
	/* a dump that failed on the way has its error in the message that ends it */
	if (h.nlmsg_len >= NLMSG_HDRLEN + sizeof code)
		memcpy(&code, (const char *)msg + NLMSG_HDRLEN, sizeof code);
	else if (h.nlmsg_type == NLMSG_ERROR)
		return -EBADMSG;
	return code < 0 ? code : 0;
}

struct asking {
	enum net_kind kind;
	uint16_t port;
	int (*each)(const struct net_item *, void *arg);
	void *arg;
};

/* One datagram of the reply: 1 = there is more to come. */
static int take_all(const struct asking *q, const char *p, size_t n)
{
	while (n >= NLMSG_HDRLEN) {
		struct nlmsghdr h;
		struct net_item it;
		int r = net_parse_end(p, n);

		if (r != 1)
			return r;
		memcpy(&h, p, sizeof h);
		r = net_parse(q->kind, p, h.nlmsg_len, &it);
		/* the kernel does not filter by port for every protocol */
		if (r == 1 && (q->port == 0 || it.port == q->port))
			r = q->each(&it, q->arg);
		if (r < 0)
			return r;
		if (NLMSG_ALIGN(h.nlmsg_len) >= n)
			break;
		p += NLMSG_ALIGN(h.nlmsg_len);
		n -= NLMSG_ALIGN(h.nlmsg_len);
	}
	return 1;
}

static int dump(const struct asking *q, int proto, struct nlmsghdr *req)
{
	_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, proto);
	_free_ char *room = xalloc(1 << 16);
	int r = 1;

	if (fd < 0)
		return -errno;
	req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (send(fd, req, req->nlmsg_len, 0) < 0)
		return -errno;
	while (r == 1) {
		ssize_t n = recv(fd, room, 1 << 16, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		r = take_all(q, room, (size_t)n);
	}
	return r;
}

static int ask_socks(const struct asking *q, int family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} m = {.h = {.nlmsg_len = sizeof m, .nlmsg_type = SOCK_DIAG_BY_FAMILY},
	       .r = {.sdiag_family = (uint8_t)family, .sdiag_protocol = q->kind == NET_TCP ? IPPROTO_TCP : IPPROTO_UDP,
		     .idiag_states = q->kind == NET_TCP ? LISTENS : BOUND, .id.idiag_sport = htons(q->port)}};

	return dump(q, NETLINK_SOCK_DIAG, &m.h);
}

static int ask_route(const struct asking *q)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} m = {.h = {.nlmsg_len = sizeof m, .nlmsg_type = q->kind == NET_ADDR ? RTM_GETADDR : RTM_GETLINK}};

	return dump(q, NETLINK_ROUTE, &m.h);
}

int net_each(enum net_kind k, uint16_t port, int (*each)(const struct net_item *, void *arg), void *arg, struct err *e)
{
	static const char *const what[] = {"listening TCP sockets", "UDP sockets", "addresses", "links"};
	struct asking q = {k, port, each, arg};
	int r;

	if (k == NET_ADDR || k == NET_LINK) {
		r = ask_route(&q);
	} else {
		r = ask_socks(&q, AF_INET);
		if (r == -ENOENT)
			return err_set(e, ENOENT, "ask the kernel for its %s: it has no %s", what[k], k == NET_TCP ? "tcp_diag" : "udp_diag");
		if (r == 0) {
			r = ask_socks(&q, AF_INET6);
			/* a kernel without IPv6 has none */
			r = r == -EAFNOSUPPORT ? 0 : r;
		}
	}
	return r < 0 ? err_sys(e, r, "ask the kernel for its %s", what[k]) : 0;
}
