/* SPDX-License-Identifier: MPL-2.0 */
/* Every socket is bound to the switch's interface: nothing that comes from elsewhere is read, and nothing goes elsewhere. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "netd/netd.h"

static int on(int fd, int level, int what)
{
	int one = 1;

	return setsockopt(fd, level, what, &one, sizeof one);
}

static int open_at(const struct netd *d, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, d->ifname, (socklen_t)strlen(d->ifname) + 1) < 0)
		return -1;
	return fd;
}

static int bound(int fd, int family, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (fd < 0 || on(fd, SOL_SOCKET, SO_REUSEADDR) < 0)
		return -1;
	if (family == AF_INET6 && on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0)
		return -1;
	if (bind(fd, family == AF_INET ? (void *)&a : (void *)&b, family == AF_INET ? sizeof a : sizeof b) < 0)
		return -1;
	return fd;
}

static int udp(const struct netd *d, int family, unsigned port)
{
	int fd = bound(open_at(d, family, SOCK_DGRAM, 0), family, port);

	if (fd >= 0 && on(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO) < 0)
		return -1;
	return fd;
}

static int tcp(const struct netd *d, int family)
{
	int fd = bound(open_at(d, family, SOCK_STREAM, 0), family, 53);

	return fd >= 0 && listen(fd, 16) < 0 ? -1 : fd;
}

static int join(const struct netd *d, int fd, const char *group)
{
	struct ipv6_mreq m = {.ipv6mr_interface = d->ifindex};
	struct tip ip;

	if (fd < 0 || !tip_parse(group, &ip))
		return -1;
	memcpy(&m.ipv6mr_multiaddr, ip.ip, 16);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m) < 0 && errno != EADDRINUSE ? -1 : fd;
}

static int routers(const struct netd *d)
{
	struct icmp6_filter f;
	int fd = open_at(d, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), hops = 255;

	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &f);
	if (fd < 0 || setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f) < 0 || on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &d->ifindex, sizeof d->ifindex) < 0)
		return -1;
	return join(d, fd, "ff02::2");
}

/* It only sends: of protocol 0 nothing comes. */
static int frames(const struct netd *d)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)d->ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && bind(fd, (void *)&a, sizeof a) < 0 ? -1 : fd;
}

static int about(struct netd *d)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", d->ifname);
	if (fd >= 0 && ioctl(fd, SIOCGIFINDEX, &r) == 0) {
		d->ifindex = (unsigned)r.ifr_ifindex;
		rc = ioctl(fd, SIOCGIFHWADDR, &r);
		memcpy(d->mac, r.ifr_hwaddr.sa_data, 6);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

/* All of them, whatever the table says now: another setting needs no new process then. IPv6 may be switched off there. */
const char *sockets_open(struct netd *d)
{
	int probe;

	if (about(d) < 0)
		return "the interface";
	d->out = frames(d);
	if (d->out < 0)
		return "a socket for frames";
	d->dhcp.fd = bound(open_at(d, AF_INET, SOCK_DGRAM, 0), AF_INET, 67);
	if (d->dhcp.fd < 0)
		return "port 67";
	d->dns[0].fd = udp(d, AF_INET, 53);
	d->tcp[0].fd = tcp(d, AF_INET);
	if (d->dns[0].fd < 0 || d->tcp[0].fd < 0)
		return "port 53";
	d->dns[1].fd = d->tcp[1].fd = d->solicited.fd = d->dhcp6.fd = -1;
	probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return NULL;
	close(probe);
	d->dns[1].fd = udp(d, AF_INET6, 53);
	d->tcp[1].fd = tcp(d, AF_INET6);
	d->solicited.fd = routers(d);
	d->dhcp6.fd = join(d, udp(d, AF_INET6, 547), "ff02::1:2");
	if (d->dns[1].fd < 0 || d->tcp[1].fd < 0 || d->solicited.fd < 0 || d->dhcp6.fd < 0)
		return "a socket of IPv6";
	return NULL;
}
