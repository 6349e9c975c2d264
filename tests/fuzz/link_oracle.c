/* SPDX-License-Identifier: MPL-2.0 */
/* Numbers of protocols are written out, with where they come from: nothing here is taken from what it judges. */
#include "link_oracle.h"

#include <string.h>

struct reading {
	const struct nic *nic;
	const uint8_t *b;
	size_t n;   /* of the frame */
	size_t end; /* of the packet in it */
	struct verdict v;
};

static void lie(struct reading *r, const char *why)
{
	if (!r->v.lie)
		r->v.lie = why;
}

static void doubt(struct reading *r, const char *why)
{
	if (!r->v.doubt)
		r->v.doubt = why;
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static bool inside(const struct net *net, const uint8_t *ip)
{
	for (unsigned i = 0; i < net->bits; i++)
		if (((net->ip[i / 8] ^ ip[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static bool own_v4(const struct nic *nic, const uint8_t *ip)
{
	for (size_t i = 0; i < nic->n4; i++)
		if (inside(&nic->v4[i], ip))
			return true;
	return false;
}

/* RFC 4291, appendix A */
static bool formed_by(const uint8_t *mac, const uint8_t *ip)
{
	const uint8_t id[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	return memcmp(ip + 8, id, 8) == 0;
}

static bool own_v6(const struct nic *nic, const uint8_t *ip)
{
	bool link_local = ip[0] == 0xfe && (ip[1] >> 6) == 2;

	for (size_t i = 0; i < nic->n6; i++)
		if (inside(&nic->v6[i], ip))
			return true;
	return formed_by(nic->mac, ip) && (link_local || nic->addrconf);
}

static bool own_mac(const struct nic *nic, const uint8_t *m)
{
	const uint8_t v4[6] = {0, 0, 0x5e, 0, 1, nic->vrrp}, v6[6] = {0, 0, 0x5e, 0, 2, nic->vrrp}; /* RFC 9568, 7.3 */

	return memcmp(m, nic->mac, 6) == 0 || (nic->vrrp && (memcmp(m, v4, 6) == 0 || memcmp(m, v6, 6) == 0));
}

static bool zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static void arp(struct reading *r)
{
	const uint8_t *a = r->b + 14, *sha = a + 8, *spa = a + 14;
	unsigned op;

	if (r->n < 42) {
		doubt(r, "half an ARP packet");
		return;
	}
	op = be16(a + 6);
	/* type 6 too: Linux takes both on an Ethernet */
	if ((be16(a) != 1 && be16(a) != 6) || be16(a + 2) != 0x0800 || a[4] != 6 || a[5] != 4) {
		doubt(r, "ARP of something else");
		return;
	}
	if (be16(a) != 1 || (op != 1 && op != 2))
		doubt(r, "ARP of another kind");
	if (r->nic->mac_nospoof && !own_mac(r->nic, sha))
		lie(r, "ARP: another's MAC");
	if (r->nic->ip_nospoof && !own_v4(r->nic, spa) && !(op == 1 && zero(spa, 4)))
		lie(r, "ARP: another's address");
}

/* Ports, and what a client of DHCP says of itself. */
static void transport(struct reading *r, size_t at, unsigned proto, bool v6, bool part)
{
	const uint8_t *p = r->b + at;
	unsigned sport, dport;

	if (proto != 6 && proto != 17)
		return;
	if (at + 4 > r->end) {
		doubt(r, "no ports");
		return;
	}
	sport = be16(p), dport = be16(p + 2);
	if (at + (proto == 6 ? 20 : 8) > r->end)
		doubt(r, "half a header");
	for (size_t i = 0; i < r->nic->nblocked; i++)
		if (r->nic->blocked[i] == (proto << 16 | dport))
			lie(r, "blocked port");
	if (proto != 17 || !r->nic->dhcp_nospoof)
		return;
	if (v6 ? sport == 547 || dport == 546 : sport == 67 || dport == 68)
		lie(r, "DHCP: a server's answer");
	if (v6 || dport != 67)
		return;
	if (part)
		lie(r, "DHCP: in parts");
	else if (at + 8 + 34 > r->end)
		doubt(r, "half a DHCP packet");
	else if (memcmp(p + 8 + 28, r->nic->mac, 6) != 0)
		lie(r, "DHCP: in another's name");
	else if (p[8] != 1) /* RFC 2131: BOOTREQUEST */
		lie(r, "DHCP: no question");
	else if (p[9] != 1 || p[10] != 6) /* another client to its server */
		lie(r, "DHCP: of another kind of link");
}

static void ip4(struct reading *r)
{
	const uint8_t *h = r->b + 14, *src = h + 12;
	unsigned hl, len, frag, proto;
	size_t at;

	if (r->n < 34) {
		doubt(r, "half an IPv4 header");
		return;
	}
	hl = (h[0] & 15u) * 4, len = be16(h + 2), frag = be16(h + 6), proto = h[9];
	if ((h[0] >> 4) != 4 || hl < 20 || len < hl || len + 14 > r->n) {
		lie(r, "IPv4: a header that contradicts itself");
		return;
	}
	at = 14 + hl;
	r->end = 14 + len;
	if (r->nic->ip_nospoof && !own_v4(r->nic, src)) {
		bool asks = r->nic->dhcp && zero(src, 4) && proto == 17 && !(frag & 0x3fff) && at + 4 <= r->end && be16(r->b + at) == 68 &&
			    be16(r->b + at + 2) == 67 && memcmp(h + 16, "\377\377\377\377", 4) == 0;

		if (!asks)
			lie(r, "IPv4: another's address");
	}
	if ((frag & 0x1fff) == 1 && proto == 6) /* RFC 3128: over the flags */
		lie(r, "IPv4: a fragment over TCP's header");
	if (frag & 0x1fff)
		return;
	if ((frag & 0x2000) && (proto == 6 || proto == 17) && r->end - at < (proto == 6 ? 16 : 8)) /* RFC 1858 */
		lie(r, "IPv4: a first fragment without its ports");
	if (frag & 0x3fff)
		doubt(r, "IPv4: a fragment");
	transport(r, at, proto, false, frag & 0x2000);
}

/* RFC 4861, 4.6: all options, to the end of the packet */
static void nd_options(struct reading *r, size_t at)
{
	int n = 0;

	while (at + 2 <= r->end) {
		const uint8_t *o = r->b + at;
		size_t len = o[1] * 8u;

		if (len == 0 || at + len > r->end) {
			doubt(r, "ND: an option that doesn't end");
			return;
		}
		if ((o[0] == 1 || o[0] == 2) && !own_mac(r->nic, o + 2))
			lie(r, "ND: another's MAC");
		if (++n > 3 || ((o[0] == 1 || o[0] == 2) && len != 8))
			doubt(r, "ND: options of a kind that hosts don't send");
		at += len;
	}
	if (at != r->end)
		doubt(r, "ND: something behind the options");
	if (at > 120)
		doubt(r, "ND: more than is looked at");
}

static void icmp6(struct reading *r, size_t at, bool in_fragment)
{
	const uint8_t *ip = r->b + 14, *src = ip + 8, *p = r->b + at;
	const struct nic *nic = r->nic;
	bool nobody = zero(src, 16);
	unsigned type;

	if (at + 1 > r->end) {
		doubt(r, "no ICMPv6 type");
		return;
	}
	type = p[0];
	if (nobody && nic->ip_nospoof && type != 133 && type != 135 && type != 131 && type != 132 && type != 143)
		lie(r, "IPv6: from nobody");
	if (at + 8 > r->end)
		doubt(r, "half an ICMPv6 header");
	if (type < 133 || type > 137)
		return;
	if (in_fragment) { /* RFC 6980 */
		lie(r, "ND: in a fragment");
		return;
	}
	if ((type == 134 || type == 137) && nic->dhcp_nospoof)
		lie(r, "ND: a router's");
	if (type == 134 || type == 137)
		return;
	if (ip[7] != 255) /* who gets it ignores it */
		doubt(r, "ND: from farther away");
	if (at + (type == 133 ? 8 : 24) > r->end) {
		doubt(r, "half of ND");
		return;
	}
	if (nic->ip_nospoof && (type == 136 || (type == 135 && nobody)) && !own_v6(nic, p + 8))
		lie(r, "ND: another's address");
	if (nic->mac_nospoof)
		nd_options(r, at + (type == 133 ? 8 : 24));
}

static void ip6(struct reading *r)
{
	const uint8_t *h = r->b + 14, *src = h + 8;
	bool nobody, in_fragment = false, more = false;
	unsigned next, headers = 0;
	size_t at = 54;

	if (r->n < 54) {
		doubt(r, "half an IPv6 header");
		return;
	}
	if ((h[0] >> 4) != 6 || at + be16(h + 4) > r->n) {
		lie(r, "IPv6: a header that contradicts itself");
		return;
	}
	r->end = at + be16(h + 4);
	nobody = zero(src, 16);
	if (r->nic->ip_nospoof && !nobody && !own_v6(r->nic, src))
		lie(r, "IPv6: another's address");
	for (next = h[6]; next == 0 || next == 43 || next == 60 || next == 51 || next == 44; headers++) {
		const uint8_t *x = r->b + at;

		if (at + 8 > r->end) {
			if (more)
				lie(r, "IPv6: a first fragment without all headers"); /* RFC 7112 */
			doubt(r, "half an extension header");
			return;
		}
		next = next == 44 ? 256u + x[0] : next == 51 ? 512u + x[0] : x[0];
		if (next & 256) {
			in_fragment = true;
			if (be16(x + 2) & 0xfff8) {
				if (nobody && r->nic->ip_nospoof)
					lie(r, "IPv6: from nobody");
				if ((be16(x + 2) & 0xfff8) == 8 && x[0] == 6)
					lie(r, "IPv6: a fragment over TCP's header");
				doubt(r, "IPv6: a later fragment");
				return;
			}
			more |= x[3] & 1;
		}
		at += next & 256 ? 8u : next & 512 ? (x[1] + 2u) * 4 : (x[1] + 1u) * 8;
		next &= 255;
	}
	if (more && at + 8 > r->end)
		lie(r, "IPv6: a first fragment without all headers");
	if (more && next == 6 && at + 16 > r->end)
		lie(r, "IPv6: a first fragment without TCP's flags");
	if (headers > 3 || in_fragment || at > 100)
		doubt(r, "IPv6: more headers than hosts send");
	if (at > r->end) {
		doubt(r, "a header behind the end");
		return;
	}
	if (nobody && next != 58 && r->nic->ip_nospoof)
		lie(r, "IPv6: from nobody");
	if (next == 58)
		icmp6(r, at, in_fragment);
	else
		transport(r, at, next, true, in_fragment);
}

static bool tag(unsigned type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200;
}

struct verdict oracle_sent(const struct nic *nic, const uint8_t *frame, size_t n)
{
	struct reading r = {.nic = nic, .b = frame, .n = n};
	unsigned type;

	type = be16(frame + 12);
	if (tag(type))
		lie(&r, "a VLAN tag");
	if (frame[6] & 1)
		lie(&r, "from a group");
	if (nic->mac_nospoof && !own_mac(nic, frame + 6))
		lie(&r, "another's MAC");
	if (type == 0x0800)
		ip4(&r);
	else if (type == 0x86dd)
		ip6(&r);
	else if (type == 0x0806)
		arp(&r);
	else if (nic->restricted)
		lie(&r, "neither IP nor ARP");
	return r.v;
}

/* Whether a neighbour advertisement is in there, behind whatever headers: what it is about. */
static const uint8_t *advertised(const uint8_t *b, size_t n, bool *headers)
{
	size_t at = 54;
	unsigned next = b[20];

	while (next == 0 || next == 43 || next == 60 || next == 51) {
		size_t len;

		*headers = true;
		if (at + 8 > n)
			return NULL;
		len = next == 51 ? (b[at + 1] + 2u) * 4 : (b[at + 1] + 1u) * 8;
		next = b[at];
		at += len;
	}
	if (next == 44) /* who gets it takes none from fragments */
		*headers = true;
	return next == 58 && at + 24 <= n && b[at] == 136 ? b + at + 8 : NULL;
}

struct verdict oracle_came(const struct here *h, const uint8_t *frame, size_t n)
{
	struct reading r = {.b = frame, .n = n};
	unsigned type = be16(frame + 12);
	const uint8_t *target;
	bool headers = false;

	if (tag(type))
		lie(&r, "a second tag");
	if (frame[6] & 1)
		lie(&r, "from a group");
	if (memcmp(frame + 6, h->mac, 6) == 0)
		lie(&r, "the MAC of one of ours");
	if ((type == 0x0800 && n < 34) || (type == 0x0806 && n < 42) || (type == 0x86dd && n < 54)) {
		doubt(&r, "short");
		return r.v;
	}
	if (type == 0x0800 && memcmp(frame + 26, h->v4, 4) == 0)
		lie(&r, "the address of one of ours");
	if (type == 0x0800 && (be16(frame + 20) & 0x1fff) == 1 && frame[23] == 6)
		lie(&r, "a fragment over TCP's header");
	if (type == 0x0806 && memcmp(frame + 28, h->v4, 4) == 0)
		lie(&r, "ARP of one of ours");
	if (type == 0x86dd && memcmp(frame + 22, h->v6, 16) == 0)
		lie(&r, "the address of one of ours");
	target = type == 0x86dd ? advertised(frame, n, &headers) : NULL;
	if (target && memcmp(target, h->v6, 16) == 0)
		lie(&r, "advertises one of ours");
	if (headers)
		doubt(&r, "behind headers, more perhaps than are looked at");
	return r.v;
}
