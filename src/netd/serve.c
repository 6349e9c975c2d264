/* SPDX-License-Identifier: MPL-2.0 */
/* DHCP and router advertisements: one packet in, at most one out. */
#include <linux/if_packet.h>
#include <string.h>
#include <sys/random.h>

#include "netd/dhcp.h"
#include "netd/netd.h"
#include "netd/ra.h"

#define SECOND   1000000000ULL
#define BATCH    32 /* packets that one socket may have before the others are looked at */
#define RATE     20
#define FIRST_RA 3  /* sent sooner than the others */

void serve_dhcp(struct netd *d, struct source *s)
{
	uint8_t q[1500], answer[DHCP_MAX], frame[DHCP_HEADERS + DHCP_MAX];
	struct dhcp_to to;

	for (int i = 0; i < BATCH; i++) {
		ssize_t got = recv(s->fd, q, sizeof q, 0);
		size_t n;

		if (got < 0)
			return;
		/* chaddr: link protection has seen that it is the sender's own */
		if (got < 34 || !may(d, q + 28, 6, RATE))
			continue;
		n = dhcp_answer(&d->t, q, (size_t)got, answer, &to);
		if (n) {
			n = dhcp_frame(&d->t, d->mac, &to, answer, n, frame);
			send(d->out, frame, n, 0);
		}
	}
}

void serve_dhcp6(struct netd *d, struct source *s)
{
	uint8_t q[1500], answer[DHCP_MAX];

	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof from;
		ssize_t got = recvfrom(s->fd, q, sizeof q, 0, (void *)&from, &len);
		size_t n;

		if (got < 0)
			return;
		if (from.sin6_port != htons(546) || !may(d, &from.sin6_addr, 16, RATE))
			continue;
		n = dhcp6_answer(&d->t, d->mac, q, (size_t)got, answer);
		if (n)
			sendto(s->fd, answer, n, 0, (void *)&from, len);
	}
}

static bool advertise(struct netd *d, const struct sockaddr_in6 *to, bool last)
{
	struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_scope_id = d->ifindex};
	uint8_t p[RA_MAX];
	size_t n = ra_build(&d->t, d->mac, last, p);

	all.sin6_addr.s6_addr[0] = 0xff;
	all.sin6_addr.s6_addr[1] = 2;
	all.sin6_addr.s6_addr[15] = 1;
	return n == 0 || sendto(d->solicited.fd, p, n, 0, (const void *)(to ? to : &all), sizeof all) == (ssize_t)n;
}

void serve_solicited(struct netd *d, struct source *s)
{
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in6 from = {0};
		uint8_t p[1500];
		char control[64];
		struct iovec v = {p, sizeof p};
		struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
		ssize_t n = recvmsg(s->fd, &m, 0);
		int hops = -1;

		if (n < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)
				memcpy(&hops, CMSG_DATA(c), sizeof hops);
		if (!rs_valid(p, (size_t)n, hops, from.sin6_addr.s6_addr) || !may(d, &from.sin6_addr, 16, RATE))
			continue;
		if (IN6_IS_ADDR_UNSPECIFIED(&from.sin6_addr))
			serve_advertise(d, true, false);
		else
			advertise(d, &from, false);
	}
}

uint64_t serve_advertise(struct netd *d, bool now, bool last)
{
	uint64_t t = now_ns();
	uint32_t jitter = 0;

	if (d->solicited.fd < 0 || !d->t.ra)
		return UINT64_MAX;
	if (last) {
		advertise(d, NULL, true);
		return UINT64_MAX;
	}
	/* RFC 4861, 6.2.6: to all not more often than every three seconds, whoever asks */
	if (now && d->ra_next > d->ra_last + 3 * SECOND)
		d->ra_next = d->ra_last + 3 * SECOND;
	if (t < d->ra_next)
		return d->ra_next;
	if (!advertise(d, NULL, false)) /* our own address is not usable yet */
		return d->ra_next = t + SECOND / 5;
	d->ra_last = t;
	(void)!getrandom(&jitter, sizeof jitter, 0);
	d->ra_next = t + (d->ra_count++ < FIRST_RA ? 16 * SECOND : RA_EVERY_S * SECOND) * (768 + jitter % 256) / 1024;
	return d->ra_next;
}
