/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/dhcp.h"

#include <string.h>

#include "netd/bootp.h"
#include "netd/wire.h"

#define BROADCAST  0x80

struct ask {
	unsigned type;
	const uint8_t *requested, *server, *client;
	size_t nclient;
};

/* false: it has a length that it can't have. */
static bool said(void *arg, unsigned code, const uint8_t *v, size_t len)
{
	struct ask *a = arg;

	switch (code) {
	case OPT_TYPE:
		if (len == 1)
			a->type = *v;
		return len == 1;
	case OPT_OVERLOAD:
		return len == 1;
	case OPT_REQUESTED:
		a->requested = v;
		return len == 4;
	case OPT_SERVER:
		a->server = v;
		return len == 4;
	case OPT_SIZE:
		return len == 2;
	case OPT_CLIENT:
		a->client = v;
		a->nclient = len;
		return len >= 2;
	default:
		return true;
	}
}

static bool parse(const uint8_t *q, size_t n, struct ask *a)
{
	static const uint8_t none[4];

	/* relayed: there is none between us and a client, so that is a lie */
	return bootp_is(q, n, BOOTP_ASKS) && !memcmp(q + AT_GIADDR, none, 4) && bootp_options(q, n, said, a);
}

/* What the answer is: an enum dhcp_type, or 0. */
static unsigned decide(const struct table *t, const struct tzone *z, const struct ask *a, const uint8_t *ciaddr)
{
	static const uint8_t none[4];
	bool have = memcmp(ciaddr, none, 4) != 0;

	switch (a->type) {
	case DHCP_DISCOVER:
		return DHCP_OFFER;
	case DHCP_INFORM:
		return have ? DHCP_ACK : 0;
	case DHCP_REQUEST:
		if (a->server && memcmp(a->server, t->server.ip, 4))
			return 0; /* it has taken another server's offer */
		if (a->requested && memcmp(a->requested, z->lease, 4))
			return DHCP_NAK;
		if (have && memcmp(ciaddr, z->lease, 4))
			return DHCP_NAK;
		return a->requested || have ? DHCP_ACK : 0;
	default: /* released or declined: it stays this client's */
		return 0;
	}
}

static void lists(const struct table *t, struct wire *w)
{
	uint8_t dns[TABLE_LIST * 4];
	size_t n = 0;

	for (size_t i = 0; i < t->ntold; i++)
		if (t->told[i].family == 4) {
			memcpy(dns + n, t->told[i].ip, 4);
			n += 4;
		}
	if (n)
		wire_option(w, OPT_DNS, dns, n);
}

static void network(const struct table *t, struct wire *w)
{
	uint32_t mask = t->subnet.bits ? ~0u << (32 - t->subnet.bits) : 0;
	uint8_t m[4] = {(uint8_t)(mask >> 24), (uint8_t)(mask >> 16), (uint8_t)(mask >> 8), (uint8_t)mask}, b[4];
	uint8_t mtu[2] = {(uint8_t)(t->mtu >> 8), (uint8_t)t->mtu};

	for (int i = 0; i < 4; i++)
		b[i] = (uint8_t)(t->subnet.ip[i] | ~m[i]);
	wire_option(w, OPT_MASK, m, 4);
	wire_option(w, OPT_BROADCAST, b, 4);
	if (t->router.family)
		wire_option(w, OPT_ROUTER, t->router.ip, 4);
	wire_option(w, OPT_MTU, mtu, 2);
	lists(t, w);
}

/* As far as there is room: an address without names is better than none. */
static void names(const struct table *t, const struct tzone *z, struct wire *w)
{
	size_t domain = strlen(t->domain), name = z->name ? strlen(z->name) : 0;

	if (domain && domain + 3 <= w->cap - w->n)
		wire_option(w, OPT_DOMAIN, t->domain, domain);
	if (name && name + 3 <= w->cap - w->n)
		wire_option(w, OPT_HOSTNAME, z->name, name);
}

static void times(struct wire *w)
{
	static const struct { uint8_t code; uint32_t s; } t[] = {{OPT_LEASE, DHCP_LEASE}, {OPT_T1, DHCP_LEASE / 2}, {OPT_T2, DHCP_LEASE / 8 * 7}};

	for (int i = 0; i < 3; i++) {
		uint8_t v[4] = {(uint8_t)(t[i].s >> 24), (uint8_t)(t[i].s >> 16), (uint8_t)(t[i].s >> 8), (uint8_t)t[i].s};

		wire_option(w, t[i].code, v, 4);
	}
}

size_t dhcp_answer(const struct table *t, const uint8_t *q, size_t n, uint8_t out[DHCP_MAX], struct dhcp_to *to)
{
	static const uint8_t none[4];
	const struct tzone *z;
	struct ask a = {0};
	struct wire w = {.p = out, .cap = DHCP_MAX - 28, .n = AT_OPTIONS};
	uint8_t type;

	if (!t->dhcp || !parse(q, n, &a))
		return 0;
	z = table_mac(t, q + AT_CHADDR);
	if (!z || !memcmp(z->lease, none, 4))
		return 0;
	type = (uint8_t)decide(t, z, &a, q + AT_CIADDR);
	if (!type)
		return 0;
	memset(out, 0, DHCP_MAX);
	out[0] = 2;
	out[1] = 1;
	out[2] = 6;
	memcpy(out + 4, q + 4, 4); /* xid */
	out[10] = q[10] & BROADCAST;
	memcpy(out + AT_CHADDR, q + AT_CHADDR, 16);
	memcpy(out + AT_COOKIE, q + AT_COOKIE, 4);
	if (type != DHCP_NAK) {
		memcpy(out + AT_CIADDR, q + AT_CIADDR, 4);
		if (a.type != DHCP_INFORM)
			memcpy(out + AT_YIADDR, z->lease, 4);
	}
	wire_option(&w, OPT_TYPE, &type, 1);
	wire_option(&w, OPT_SERVER, t->server.ip, 4);
	if (type != DHCP_NAK && a.type != DHCP_INFORM)
		times(&w);
	if (type != DHCP_NAK)
		network(t, &w);
	if (a.client)
		wire_option(&w, OPT_CLIENT, a.client, a.nclient);
	if (type != DHCP_NAK)
		names(t, z, &w);
	wire_put(&w, (const uint8_t[]){OPT_END}, 1);
	if (w.full) /* a client id of hundreds of bytes */
		return 0;
	/* To the card that asked in any case: no other zone need see it. */
	memcpy(to->mac, q + AT_CHADDR, 6);
	if (type != DHCP_NAK && memcmp(q + AT_CIADDR, none, 4))
		memcpy(to->ip, q + AT_CIADDR, 4);
	else if (type == DHCP_NAK || (q[10] & BROADCAST))
		memset(to->ip, 255, 4);
	else
		memcpy(to->ip, z->lease, 4);
	return w.n < DHCP_MIN ? DHCP_MIN : w.n;
}

size_t dhcp_frame(const struct table *t, const uint8_t mac[6], const struct dhcp_to *to, const uint8_t *answer, size_t n, uint8_t *out)
{
	size_t len = 28 + n, udp = 8 + n;
	uint8_t *ip = out + 14, *u = ip + 20;
	uint16_t sum;

	memcpy(out, to->mac, 6);
	memcpy(out + 6, mac, 6);
	out[12] = 8, out[13] = 0;
	memset(ip, 0, 28);
	ip[0] = 0x45;
	ip[1] = 0xc0; /* network control */
	ip[2] = (uint8_t)(len >> 8), ip[3] = (uint8_t)len;
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, t->server.ip, 4);
	memcpy(ip + 16, to->ip, 4);
	sum = wire_sum(0, ip, 20);
	ip[10] = (uint8_t)(sum >> 8), ip[11] = (uint8_t)sum;
	u[1] = 67, u[3] = 68;
	u[4] = (uint8_t)(udp >> 8), u[5] = (uint8_t)udp;
	memcpy(u + 8, answer, n);
	sum = wire_sum(wire_add(17 + (uint32_t)udp, ip + 12, 8), u, udp);
	if (sum == 0)
		sum = 0xffff;
	u[6] = (uint8_t)(sum >> 8), u[7] = (uint8_t)sum;
	return 14 + len;
}

/* ---- DHCPv6: other configuration, for who has its address by router advertisements ---- */

enum { INFORMATION_REQUEST = 11, REPLY = 7, OPT6_CLIENT = 1, OPT6_SERVER = 2, OPT6_IA_NA = 3, OPT6_IA_TA = 4, OPT6_DNS = 23, OPT6_DOMAIN = 24 };

/* The server's name: DUID-LL (RFC 8415, 11.4). */
static void duid(const uint8_t mac[6], uint8_t out[10])
{
	static const uint8_t head[4] = {0, 3, 0, 1};

	memcpy(out, head, 4);
	memcpy(out + 4, mac, 6);
}

size_t dhcp6_answer(const struct table *t, const uint8_t mac[6], const uint8_t *q, size_t n, uint8_t out[DHCP_MAX])
{
	struct wire w = {.p = out, .cap = DHCP_MAX};
	uint8_t id[10], dns[TABLE_LIST * 16], name[NAME_MAX_DNS + 2];
	const uint8_t *client = NULL;
	size_t nclient = 0, len, k = 0;

	if (!t->ra || n < 4 || q[0] != INFORMATION_REQUEST)
		return 0;
	duid(mac, id);
	for (size_t at = 4; at < n; at += len) {
		unsigned code;

		if (n - at < 4)
			return 0;
		code = (unsigned)q[at] << 8 | q[at + 1];
		len = (size_t)q[at + 2] << 8 | q[at + 3];
		at += 4;
		if (len > n - at || code == OPT6_IA_NA || code == OPT6_IA_TA) /* RFC 8415, 16.12 */
			return 0;
		if (code == OPT6_SERVER && (len != sizeof id || memcmp(q + at, id, len)))
			return 0;
		if (code == OPT6_CLIENT) {
			if (client || len < 1 || len > 130)
				return 0;
			client = q + at;
			nclient = len;
		}
	}
	wire_put(&w, (const uint8_t[]){REPLY, q[1], q[2], q[3]}, 4);
	wire_option6(&w, OPT6_SERVER, id, sizeof id);
	if (client)
		wire_option6(&w, OPT6_CLIENT, client, nclient);
	for (size_t i = 0; i < t->ntold; i++)
		if (t->told[i].family == 6) {
			memcpy(dns + k, t->told[i].ip, 16);
			k += 16;
		}
	if (k)
		wire_option6(&w, OPT6_DNS, dns, k);
	k = t->domain[0] ? wire_name(t->domain, name) : 0;
	if (k)
		wire_option6(&w, OPT6_DOMAIN, name, k);
	return w.full ? 0 : w.n;
}
