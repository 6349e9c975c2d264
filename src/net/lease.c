/* SPDX-License-Identifier: MPL-2.0 */
#include "net/lease.h"

#include <arpa/inet.h>
#include <string.h>

#include "kern/bpf.h"
#include "net/port.h"

#define ETH   14
#define IP    20
#define UDP   8
#define BOOTP 240 /* up to its options, the cookie among it */

enum { OPT_MASK = 1, OPT_ROUTER = 3, OPT_DNS = 6, OPT_HOSTNAME = 12, OPT_MTU = 26, OPT_BROADCAST = 28, OPT_LEASE = 51, OPT_TYPE = 53,
       OPT_SERVER = 54, OPT_T1 = 58, OPT_T2 = 59, OPT_END = 255 };

struct out {
	uint8_t *p;
	size_t n, cap;
};

/* One that there is no room for, with the end behind it, is left out. */
static void option(struct out *o, uint8_t code, const void *v, size_t n)
{
	if (n == 0 || n > 255 || o->n + 2 + n + 1 > o->cap)
		return;
	o->p[o->n++] = code;
	o->p[o->n++] = (uint8_t)n;
	memcpy(o->p + o->n, v, n);
	o->n += n;
}

static void option32(struct out *o, uint8_t code, uint32_t v)
{
	v = htonl(v);
	option(o, code, &v, 4);
}

/*
 * A server has to have a name, and a client renews its lease with that one alone at first. The router's, which it has asked for the way to in any case;
 * else somebody on its network, there or not: what the client sends goes no farther than its port, and where nobody answers its ARP it asks all.
 */
static uint32_t server_of(const struct net_lease *l, uint32_t ip, uint32_t mask)
{
	uint32_t router;

	memcpy(&router, l->router, 4);
	if (router)
		return ntohl(router);
	return (ip & mask) + (((ip & mask) + 1 == ip || l->prefix > 30) ? 2 : 1);
}

static uint32_t words(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return s;
}

static uint16_t folded(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void headers(uint8_t *f, uint32_t server)
{
	uint8_t *ip = f + ETH, *udp = ip + IP;
	uint32_t from = htonl(server);
	uint16_t len = htons(SW_LEASE_FRAME - ETH), ulen = htons(SW_LEASE_FRAME - ETH - IP), sum;

	/* the client's is put before it */
	f[6] = 0x02, f[7] = 0x72;
	memcpy(f + 8, &from, 4);
	f[12] = 8;
	ip[0] = 0x45;
	memcpy(ip + 2, &len, 2);
	ip[8] = 64, ip[9] = 17;
	memcpy(ip + 12, &from, 4);
	memset(ip + 16, 255, 4);
	sum = htons((uint16_t)~folded(words(ip, IP)));
	memcpy(ip + 10, &sum, 2);
	udp[1] = 67, udp[3] = 68;
	memcpy(udp + 4, &ulen, 2);
}

void net_lease_frame(const struct net_lease *l, struct sw_lease *out)
{
	static const uint8_t cookie[4] = {99, 130, 83, 99};
	uint8_t *f = out->frame, *b = f + ETH + IP + UDP, type = 2;
	uint32_t mask = l->prefix ? ~0u << (32 - l->prefix) : 0, ip, server;
	uint16_t mtu = htons((uint16_t)l->mtu);
	struct out o = {.p = b, .n = BOOTP, .cap = SW_LEASE_FRAME - ETH - IP - UDP};

	memset(out, 0, sizeof *out);
	memcpy(&out->ip, l->ip, 4);
	ip = ntohl(out->ip);
	server = server_of(l, ip, mask);
	out->server = htonl(server);
	headers(f, server);
	out->sum = htons(folded(words(f + ETH + 12, 8) + 17 + SW_LEASE_FRAME - ETH - IP));
	b[0] = 2, b[1] = 1, b[2] = 6;
	memcpy(b + 16, l->ip, 4);
	memcpy(b + BOOTP - 4, cookie, 4);
	/* these five first, as bpf/lease.h has their places */
	option(&o, OPT_TYPE, &type, 1);
	option32(&o, OPT_SERVER, server);
	option32(&o, OPT_LEASE, LEASE_S);
	option32(&o, OPT_T1, LEASE_S / 2);
	option32(&o, OPT_T2, LEASE_S / 8 * 7);
	option32(&o, OPT_MASK, mask);
	if (l->prefix < 31)
		option32(&o, OPT_BROADCAST, ip | ~mask);
	if (memcmp(l->router, "\0\0\0\0", 4) != 0)
		option(&o, OPT_ROUTER, l->router, 4);
	option(&o, OPT_DNS, l->dns, l->ndns * 4);
	option(&o, OPT_MTU, &mtu, 2);
	option(&o, OPT_HOSTNAME, l->host, l->host ? strlen(l->host) : 0);
	b[o.n] = OPT_END;
}

int net_lease(struct net_switch *s, uint32_t ifindex, const struct net_lease *l, struct err *e)
{
	struct sw_lease v;
	int r;

	if (!l) {
		r = port_flag(s, ifindex, PORT_LEASE, false, e);
		return r < 0 ? r : bpf_del(s->map[SWM_LEASES], &ifindex, e);
	}
	net_lease_frame(l, &v);
	r = bpf_put(s->map[SWM_LEASES], &ifindex, &v, e);
	return r < 0 ? r : port_flag(s, ifindex, PORT_LEASE, true, e);
}
