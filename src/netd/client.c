/* SPDX-License-Identifier: MPL-2.0 */
#include "netd/client.h"

#include <ctype.h>
#include <string.h>

#include "netd/bootp.h"
#include "netd/dhcp.h"
#include "netd/wire.h"

#define MESSAGE    548 /* that any server takes: 576 bytes with the headers of IP and UDP */

static const uint8_t none[4];

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static unsigned u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t mask_of(unsigned bits)
{
	return bits ? ~0u << (32 - bits) : 0;
}

/* Somebody's: not nobody's, the loopback's, the link's own, a group's, or reserved. */
static bool unicast(const uint8_t ip[4])
{
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && !(ip[0] == 169 && ip[1] == 254);
}

bool client_within(const uint8_t a[4], const uint8_t b[4], unsigned bits)
{
	return ((u32(a) ^ u32(b)) & mask_of(bits)) == 0;
}

bool client_host(const uint8_t ip[4], unsigned bits)
{
	uint32_t host = u32(ip) & ~mask_of(bits);

	if (!unicast(ip) || bits < CLIENT_BITS || bits > 32)
		return false;
	return bits > 30 || (host != 0 && host != ~mask_of(bits));
}

/* ---- a frame ---- */

static bool packet(const uint8_t *f, size_t n, bool sums, unsigned from, unsigned to, const uint8_t **msg, size_t *len)
{
	const uint8_t *ip = f + 14, *udp;
	size_t hl, total, ulen;

	if (n < 14 + 20 || u16(f + 12) != 0x800 || ip[0] >> 4 != 4)
		return false;
	hl = (ip[0] & 15u) * 4;
	total = u16(ip + 2);
	if (hl < 20 || total < hl + 8 || total > n - 14 || ip[9] != 17 || (u16(ip + 6) & 0x3fff))
		return false;
	if (wire_sum(0, ip, hl) != 0)
		return false;
	udp = ip + hl;
	ulen = u16(udp + 4);
	if (u16(udp) != from || u16(udp + 2) != to || ulen < 8 || ulen > total - hl)
		return false;
	if (!sums && u16(udp + 6) && wire_sum(wire_add(17 + (uint32_t)ulen, ip + 12, 8), udp, ulen) != 0)
		return false;
	*msg = udp + 8;
	*len = ulen - 8;
	return true;
}

bool client_packet(const uint8_t *f, size_t n, bool sums, const uint8_t **msg, size_t *len)
{
	return packet(f, n, sums, 67, 68, msg, len);
}

/* ---- an answer ---- */

struct said {
	struct {
		const uint8_t *p;
		size_t n;
	} o[256]; /* what stands first counts */
};

static bool said(void *arg, unsigned code, const uint8_t *v, size_t len)
{
	struct said *s = arg;

	if (!s->o[code].p) {
		s->o[code].p = v;
		s->o[code].n = len;
	}
	return true;
}

/* One of exactly so many bytes, or NULL. */
static const uint8_t *exact(const struct said *s, unsigned code, size_t n)
{
	return s->o[code].p && s->o[code].n == n ? s->o[code].p : NULL;
}

static bool network(const struct said *s, struct offer *o)
{
	const uint8_t *m = exact(s, OPT_MASK, 4);
	uint32_t mask = m ? u32(m) : 0;

	if (s->o[OPT_MASK].p && !m)
		return false;
	if (!m) /* as it was before there were masks */
		o->bits = o->ip[0] < 128 ? 8 : o->ip[0] < 192 ? 16 : 24;
	else if (mask == 0 || (~mask & (~mask + 1)) != 0)
		return false;
	else
		o->bits = (uint8_t)__builtin_popcount(mask);
	return client_host(o->ip, o->bits);
}

/* A way that the zone's kernel will take: by a neighbour that is not the zone itself. */
static bool gateway(const struct offer *o, const uint8_t *ip)
{
	return client_host(ip, o->bits) && client_within(ip, o->ip, o->bits) && memcmp(ip, o->ip, 4) != 0;
}

static void route(struct offer *o, const uint8_t *to, unsigned bits, const uint8_t *via)
{
	struct client_route r = {.bits = (uint8_t)bits};
	uint32_t net = u32(to) & mask_of(bits);

	if (!gateway(o, via))
		return;
	if (bits == 0) {
		memcpy(o->router, via, 4);
		return;
	}
	for (int i = 0; i < 4; i++)
		r.to[i] = (uint8_t)(net >> (24 - 8 * i));
	if (o->nroutes == CLIENT_ROUTES || r.to[0] == 0 || r.to[0] == 127 || r.to[0] >= 224)
		return;
	memcpy(r.via, via, 4);
	o->route[o->nroutes++] = r;
}

/* RFC 3442: who has these reads neither the old routes nor the router. */
static void classless(const struct said *s, struct offer *o)
{
	const uint8_t *p = s->o[OPT_CLASSLESS].p;
	size_t n = s->o[OPT_CLASSLESS].n, at = 0;

	while (at < n) {
		unsigned bits = p[at++], bytes = (bits + 7) / 8;
		uint8_t to[4] = {0};

		if (bits > 32 || n - at < bytes + 4)
			return;
		memcpy(to, p + at, bytes);
		route(o, to, bits, p + at + bytes);
		at += bytes + 4;
	}
}

static void ways(const struct said *s, struct offer *o)
{
	const uint8_t *p = s->o[OPT_ROUTER].p;

	if (s->o[OPT_CLASSLESS].n >= 5) {
		classless(s, o);
		return;
	}
	for (size_t i = 0; p && i + 4 <= s->o[OPT_ROUTER].n; i += 4)
		if (gateway(o, p + i)) {
			memcpy(o->router, p + i, 4);
			break;
		}
	p = s->o[OPT_STATIC].p;
	for (size_t i = 0; p && i + 8 <= s->o[OPT_STATIC].n; i += 8) {
		unsigned bits = p[i] < 128 ? 8 : p[i] < 192 ? 16 : 24;

		/* of one host, where more is said than its network; the default route is not to be told this way */
		if (u32(p + i) & ~mask_of(bits))
			bits = 32;
		if (memcmp(p + i, none, 4))
			route(o, p + i, bits, p + i + 4);
	}
}

static void servers(const struct said *s, struct offer *o)
{
	const uint8_t *p = s->o[OPT_DNS].p;

	for (size_t i = 0; p && i + 4 <= s->o[OPT_DNS].n && o->ndns < CLIENT_DNS; i += 4)
		if (unicast(p + i))
			memcpy(o->dns[o->ndns++], p + i, 4);
}

/* It comes to stand in a file of the zone's: letters, digits, - and _ in labels with dots between, or it is left out. */
static void domain(const struct said *s, struct offer *o)
{
	const uint8_t *p = s->o[OPT_DOMAIN].p;
	size_t n = s->o[OPT_DOMAIN].n, label = 0;

	while (n && (p[n - 1] == 0 || p[n - 1] == '.'))
		n--;
	for (size_t i = 0; i < n; i++) {
		label = p[i] == '.' ? 0 : label + 1;
		if (n > 200 || label > 63 || (p[i] == '.' ? i == 0 || p[i - 1] == '.' : !isalnum(p[i]) && p[i] != '-' && p[i] != '_'))
			return;
	}
	for (size_t i = 0; i < n; i++)
		o->domain[i] = (char)tolower(p[i]);
	o->domain[n] = 0;
}

static bool times(const struct said *s, struct offer *o)
{
	const uint8_t *l = exact(s, OPT_LEASE, 4), *a = exact(s, OPT_T1, 4), *b = exact(s, OPT_T2, 4);

	if (!l || u32(l) < CLIENT_LEAST_S)
		return false;
	o->lease = u32(l) > CLIENT_MOST_S ? CLIENT_MOST_S : u32(l);
	o->t1 = a ? u32(a) : o->lease / 2;
	o->t2 = b ? u32(b) : o->lease / 8 * 7;
	/* one that would have us ask all the time is not heard */
	if (o->t2 >= o->lease || o->t1 >= o->t2 || o->t1 < o->lease / 4) {
		o->t1 = o->lease / 2;
		o->t2 = o->lease - o->lease / 8 - 1;
	}
	return true;
}

bool client_about(const uint8_t *m, size_t n, uint8_t mac[6], uint32_t *xid)
{
	if (!bootp_is(m, n, BOOTP_ANSWERS))
		return false;
	memcpy(mac, m + AT_CHADDR, 6);
	*xid = u32(m + AT_XID);
	return true;
}

bool client_answer(const uint8_t *m, size_t n, const uint8_t mac[6], uint32_t xid, struct offer *out)
{
	struct said s = {0};
	const uint8_t *type, *server;
	uint8_t whose[6];
	uint32_t number;

	memset(out, 0, sizeof *out);
	if (!client_about(m, n, whose, &number) || number != xid || memcmp(whose, mac, 6) || !bootp_options(m, n, said, &s))
		return false;
	type = exact(&s, OPT_TYPE, 1);
	server = exact(&s, OPT_SERVER, 4);
	if (!type || !server || !unicast(server) || (*type != DHCP_OFFER && *type != DHCP_ACK && *type != DHCP_NAK))
		return false;
	out->type = *type;
	memcpy(out->server, server, 4);
	if (*type == DHCP_NAK)
		return true;
	memcpy(out->ip, m + AT_YIADDR, 4);
	/* the server's own is nobody else's */
	if (!network(&s, out) || !memcmp(out->ip, server, 4) || !times(&s, out))
		return false;
	ways(&s, out);
	servers(&s, out);
	domain(&s, out);
	return true;
}

/* Its checksum is its receiver's affair, and may not be there yet. */
bool client_asked(const uint8_t *f, size_t n, struct asked *out)
{
	struct said s = {0};
	const uint8_t *m, *type, *ip;
	size_t len;

	if (!packet(f, n, true, 68, 67, &m, &len) || !bootp_is(m, len, BOOTP_ASKS) || memcmp(m + AT_CHADDR, f + 6, 6) || !bootp_options(m, len, said, &s))
		return false;
	type = exact(&s, OPT_TYPE, 1);
	ip = exact(&s, OPT_REQUESTED, 4);
	if (!type)
		return false;
	out->type = *type;
	out->xid = u32(m + AT_XID);
	memcpy(out->mac, m + AT_CHADDR, 6);
	memcpy(out->ip, ip ? ip : m + AT_CIADDR, 4);
	return true;
}

/* ---- a question ---- */

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void say(const struct question *q, struct wire *w)
{
	static const uint8_t wanted[] = {OPT_MASK, OPT_CLASSLESS, OPT_ROUTER, OPT_DNS, OPT_DOMAIN, OPT_BROADCAST, OPT_STATIC, OPT_LEASE, OPT_T1, OPT_T2};
	uint8_t own[7] = {1};
	bool asks = q->type == DHCP_DISCOVER || q->type == DHCP_REQUEST;

	wire_option(w, OPT_TYPE, &q->type, 1);
	memcpy(own + 1, q->mac, 6);
	wire_option(w, OPT_CLIENT, q->cid ? q->cid : own, q->cid ? q->ncid : sizeof own);
	if (memcmp(q->requested, none, 4))
		wire_option(w, OPT_REQUESTED, q->requested, 4);
	if (memcmp(q->server, none, 4))
		wire_option(w, OPT_SERVER, q->server, 4);
	if (asks) {
		wire_option(w, OPT_WANTED, wanted, sizeof wanted);
		wire_option(w, OPT_SIZE, (const uint8_t[]){1500 >> 8, 1500 & 255}, 2);
		/* an address without a name is better than none */
		if (q->name && strlen(q->name) + 3 <= w->cap - w->n)
			wire_option(w, OPT_HOSTNAME, q->name, strlen(q->name));
	}
	wire_put(w, (const uint8_t[]){OPT_END}, 1);
}

size_t client_ask(const struct question *q, uint8_t out[CLIENT_FRAME])
{
	size_t head = q->vlan ? 18 : 14, n;
	uint8_t *ip = out + head, *udp = ip + 20, *m = udp + 8;
	struct wire w = {.p = m, .cap = MESSAGE, .n = AT_OPTIONS};
	uint16_t sum;

	memset(out, 0, CLIENT_FRAME);
	memcpy(out, q->to_mac, 6);
	memcpy(out + 6, q->mac, 6);
	if (q->vlan) {
		put16(out + 12, 0x8100);
		put16(out + 14, q->vlan & 4095);
	}
	put16(out + head - 2, 0x800);
	m[0] = m[1] = 1;
	m[2] = 6;
	for (int i = 0; i < 4; i++)
		m[AT_XID + i] = (uint8_t)(q->xid >> (24 - 8 * i));
	put16(m + AT_SECS, q->secs);
	memcpy(m + AT_CIADDR, q->ciaddr, 4);
	memcpy(m + AT_CHADDR, q->mac, 6);
	memcpy(m + AT_COOKIE, bootp_cookie, 4);
	say(q, &w);
	if (w.full)
		return 0;
	n = w.n < DHCP_MIN ? DHCP_MIN : w.n;
	ip[0] = 0x45;
	ip[1] = 0xc0; /* network control */
	put16(ip + 2, 28 + n);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, q->from, 4);
	memcpy(ip + 16, q->to, 4);
	put16(ip + 10, wire_sum(0, ip, 20));
	put16(udp, 68);
	put16(udp + 2, 67);
	put16(udp + 4, 8 + n);
	sum = wire_sum(wire_add(17 + 8 + (uint32_t)n, ip + 12, 8), udp, 8 + n);
	put16(udp + 6, sum ? sum : 0xffff);
	return head + 28 + n;
}
