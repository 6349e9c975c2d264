/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Link protection: what a VNIC may send. Each check reads the frame through bounds that were just checked, and what it
 * can't read in full it drops. Order and meaning as dladm(8)'s protection property: mac-nospoof, ip-nospoof,
 * dhcp-nospoof, restricted.
 */
#ifndef CLOISTER_BPF_PROTECT_H
#define CLOISTER_BPF_PROTECT_H

#include "dhcpid.h"

#define HEADERS 144 /* Ethernet, IPv6 with some extension headers, and the start of what they carry */
#define EXT_MAX 6   /* IPv6 extension headers that are followed; one more is dropped */

struct frame {
	struct __sk_buff *skb;
	void *data, *end;
	__u32 ifindex;
	__u32 sw; /* the port's; of a wire, what the frame's tag says */
	const struct sw_port *port;
};

#define AT(f, off, type) ({ type *p_ = (f)->data + (off); (void *)(p_ + 1) > (f)->end ? (type *)0 : p_; })

INLINE int in_trie(const struct frame *f, __u32 family, const void *ip)
{
	struct sw_addr_key k = {.bits = family == 4 ? 96 : 192, .list = f->port->lists, .family = family};

	if (!(f->port->flags & PORT_MORE_ADDRS))
		return 0;
	__builtin_memcpy(k.ip, ip, family == 4 ? 4 : 16);
	return bpf_map_lookup_elem(&addrs, &k) != 0;
}

INLINE int may_ip4(const struct frame *f, __be32 ip)
{
	for (int i = 0; i < SW_PORT_IP4; i++)
		if (i < f->port->n4 && f->port->ip4[i] == ip)
			return 1;
	return in_trie(f, 4, &ip);
}

INLINE int may_ip6(const struct frame *f, const __u8 *ip)
{
	__u8 a[16];

	if (ip6_eui64(ip, f->port->mac) && (ip6_local(ip) || (f->port->flags & PORT_ADDRCONF)))
		return 1;
	for (int i = 0; i < SW_PORT_IP6; i++)
		if (i < f->port->n6 && ip6_eq(f->port->ip6[i], ip))
			return 1;
	__builtin_memcpy(a, ip, 16);
	return in_trie(f, 6, a);
}

/* Of a virtual router (RFC 9568, 7.3). */
INLINE int vrrp_mac(const __u8 *m)
{
	return m[0] == 0 && m[1] == 0 && m[2] == 0x5e && m[3] == 0 && (m[4] == 1 || m[4] == 2) && m[5];
}

/* Its own, or that of the virtual router that it is: who sends with it also answers with it. */
INLINE int may_mac(const struct frame *f, const __u8 *m)
{
	if (mac_eq(m, f->port->mac))
		return 1;
	return f->port->vrrp && vrrp_mac(m) && m[5] == f->port->vrrp;
}

/*
 * A client may ask in its own name alone. What lies behind the packet's own end is not what a receiver reads there. To a server a link address of
 * another kind or length is another client, and each gets a lease.
 */
INLINE int check_dhcp_client(const struct frame *f, __u32 off, __u32 end)
{
	const __u8 *b = AT(f, off, __u8);

	if (!b || (void *)(b + 34) > f->end || off + 34 > end)
		return DROP_SHORT;
	return b[0] == 1 && b[1] == 1 && b[2] == 6 && mac_eq(b + 28, f->port->mac) ? DROP_NONE : DROP_DHCP;
}

/* end: of the packet, as its own header says; the frame may be longer. part: the first of several. */
INLINE int check_l4(const struct frame *f, __u32 off, __u32 end, __u32 proto, int v6, int part)
{
	struct l4ports *p;
	struct sw_port_key k = {.list = f->port->lists};

	if (proto != IPP_TCP && proto != IPP_UDP)
		return DROP_NONE;
	p = AT(f, off, struct l4ports);
	if (!p || off + sizeof *p > end)
		return DROP_SHORT;
	if (proto == IPP_UDP && (f->port->flags & PORT_DHCP_NOSPOOF)) {
		__u16 server = bpf_ntohs(p->src), client = bpf_ntohs(p->dst);

		if (v6 ? server == 547 || client == 546 : server == 67 || client == 68)
			return DROP_DHCP;
		if (!v6 && client == 67) {
			/* what follows could be laid over what is read here, or be questions of their own: UDP's large segments are a packet for each piece */
			int r = part || f->skb->gso_size ? DROP_DHCP : check_dhcp_client(f, off + 8, end);

			if (r)
				return r;
		}
		if ((f->port->flags & PORT_DHCP_CIDS) && client == (v6 ? 547 : 67) && !dhcp_id_allowed(f->skb, off, end))
			return DROP_DHCP;
	}
	if (f->port->flags & PORT_BLOCKED_PORTS) {
		k.port = proto << 16 | bpf_ntohs(p->dst);
		if (bpf_map_lookup_elem(&blocked, &k))
			return DROP_BLOCKED;
	}
	return DROP_NONE;
}

INLINE int check_ip4(const struct frame *f)
{
	struct ip4 *h = AT(f, 14, struct ip4);
	__u32 hl, frag, len, off;

	if (!h || (h->vihl >> 4) != 4)
		return DROP_SHORT;
	hl = (h->vihl & 15) * 4;
	len = bpf_ntohs(h->len);
	if (hl < 20 || (len < hl && !f->skb->gso_segs) || (!f->skb->gso_segs && len + 14 > f->skb->len))
		return DROP_SHORT;
	off = 14 + hl;
	frag = bpf_ntohs(h->frag);
	if (f->port->flags & PORT_IP_NOSPOOF) {
		if (h->src == 0) {
			struct l4ports *p = AT(f, off, struct l4ports);

			/* who has no lease yet */
			if (!(f->port->flags & (PORT_DHCP_CLIENT | PORT_LEASE)) || h->proto != IPP_UDP || (frag & 0x3fff) || h->dst != 0xffffffff || !p ||
			    p->src != bpf_htons(68) || p->dst != bpf_htons(67))
				return DROP_IP4;
		} else if (!may_ip4(f, h->src)) {
			return DROP_IP4;
		}
	}
	if (frag & 0x1fff) /* RFC 1858, 3128: the second may not write over the first's ports and flags */
		return (frag & 0x1fff) == 1 && h->proto == IPP_TCP ? DROP_FRAGMENT : DROP_NONE;
	if ((frag & 0x2000) && len < hl + (h->proto == IPP_TCP ? 16 : 8))
		return DROP_FRAGMENT;
	return check_l4(f, off, f->skb->gso_segs ? f->skb->len : 14 + len, h->proto, 0, frag & 0x2000);
}

INLINE int check_arp(const struct frame *f)
{
	struct arp *a = AT(f, 14, struct arp);
	struct eth *e = f->data;
	__be32 spa;

	if (!a || (void *)(e + 1) > f->end || a->htype != bpf_htons(1) || a->ptype != bpf_htons(P_IP4) || a->hlen != 6 || a->plen != 4 ||
	    (a->op != bpf_htons(1) && a->op != bpf_htons(2)))
		return DROP_ARP;
	if ((f->port->flags & PORT_MAC_NOSPOOF) && !may_mac(f, a->sha))
		return DROP_ARP;
	spa = a->spa;
	/* 0.0.0.0 asks whether an address is taken (RFC 5227) */
	if ((f->port->flags & PORT_IP_NOSPOOF) && !(spa == 0 && a->op == bpf_htons(1)) && !may_ip4(f, spa))
		return DROP_ARP;
	return DROP_NONE;
}

/* Link-layer address options of neighbour discovery name a MAC of the sender's own, or none. */
INLINE int check_nd_options(const struct frame *f, __u32 off, __u32 end)
{
	for (int i = 0; i < 4; i++) {
		__u8 *o;
		__u32 n;

		if (off == end)
			return DROP_NONE;
		if (off > end || off > HEADERS - 8) /* an option that is not read could be the lie */
			return DROP_ND;
		o = AT(f, off & 0xff, __u8);
		if (!o || (void *)(o + 8) > f->end)
			return DROP_SHORT;
		n = o[1] * 8;
		if (n == 0)
			return DROP_ND;
		if ((o[0] == 1 || o[0] == 2) && (n != 8 || !may_mac(f, o + 2)))
			return DROP_ND;
		off += n;
	}
	return off == end ? DROP_NONE : DROP_ND;
}

INLINE int check_icmp6(const struct frame *f, const struct ip6 *h, __u32 off)
{
	struct nd *n = AT(f, off, struct nd);
	__u8 *type = AT(f, off, __u8);
	__u32 end = 54 + bpf_ntohs(h->len);
	int r;

	if (!type)
		return DROP_SHORT;
	if (*type == ND_RA || *type == ND_REDIRECT)
		return f->port->flags & PORT_DHCP_NOSPOOF ? DROP_RA : DROP_NONE;
	if (*type != ND_NS && *type != ND_NA && *type != ND_RS)
		return DROP_NONE;
	/* a router would take it from nobody farther away (RFC 4861, 7.1) */
	if (h->hops != 255)
		return DROP_ND;
	if (*type != ND_RS && !n)
		return DROP_SHORT;
	if (*type == ND_NA && n && (f->port->flags & PORT_IP_NOSPOOF) && !may_ip6(f, n->target))
		return DROP_ND;
	/* asked from no address, to see whether its own is free */
	if (*type == ND_NS && n && ip6_none(h->src) && (f->port->flags & PORT_IP_NOSPOOF) && !may_ip6(f, n->target))
		return DROP_ND;
	if (!(f->port->flags & PORT_MAC_NOSPOOF))
		return DROP_NONE;
	r = check_nd_options(f, off + (*type == ND_RS ? 8 : 24), end);
	return r;
}

/*
 * A later fragment that could write over what was read in the first: TCP's flags, or behind extension headers anything that is as near. next: what
 * the fragment header names, at: its offset and flags.
 */
INLINE int over_headers(__u32 at, __u8 next)
{
	at &= 0xfff8;
	return next == IPP_TCP ? at == 8 : (next == IPP_HOPOPTS || next == IPP_ROUTING || next == IPP_DSTOPTS || next == IPP_AH) && at < HEADERS;
}

INLINE int check_ip6(const struct frame *f)
{
	struct ip6 *h = AT(f, 14, struct ip6);
	__u32 off = 54, proto, frag = 0, end;
	int i, none;

	if (!h || (h->vtf & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return DROP_SHORT;
	end = f->skb->gso_segs ? f->skb->len : 54 + (__u32)bpf_ntohs(h->len);
	if (end > f->skb->len)
		return DROP_SHORT;
	none = ip6_none(h->src);
	if ((f->port->flags & PORT_IP_NOSPOOF) && !none && !may_ip6(f, h->src))
		return DROP_IP6;
	proto = h->next;
	for (i = 0; i < EXT_MAX; i++) {
		__u8 *x;

		if (proto != IPP_HOPOPTS && proto != IPP_ROUTING && proto != IPP_DSTOPTS && proto != IPP_FRAG && proto != IPP_AH)
			break;
		x = AT(f, off & 0xff, __u8);
		if (!x || (void *)(x + 8) > f->end || off + 8 > end)
			return DROP_SHORT;
		if (proto == IPP_FRAG) {
			__u32 at = x[2] << 8 | x[3];

			frag = 1;
			if (at & 0xfff8) /* not the first: its ports were in the first */
				return none ? DROP_IP6 : over_headers(at, x[0]) ? DROP_FRAGMENT : DROP_NONE;
			proto = x[0];
			off += 8;
			continue;
		}
		off += proto == IPP_AH ? (x[1] + 2) * 4 : (x[1] + 1) * 8;
		proto = x[0];
		if (off > HEADERS - 24)
			return DROP_FRAGMENT;
	}
	if (i == EXT_MAX)
		return DROP_FRAGMENT;
	if (off > end)
		return DROP_SHORT;
	if (frag && off + (proto == IPP_TCP ? 16 : 8) > end) /* RFC 7112: what it carries begins in the first; padding behind it is not that */
		return DROP_FRAGMENT;
	off &= 0xff;
	if (none && (f->port->flags & PORT_IP_NOSPOOF)) {
		__u8 *type = AT(f, off, __u8);

		/* from no address: duplicate address detection and multicast reports alone */
		if (proto != IPP_ICMP6 || !type || (*type != ND_NS && *type != ND_RS && *type != 131 && *type != 132 && *type != 143))
			return DROP_IP6;
	}
	if (proto == IPP_ICMP6) {
		if (frag) { /* RFC 6980 */
			__u8 *type = AT(f, off, __u8);

			if (!type || (*type >= ND_RS && *type <= ND_REDIRECT))
				return DROP_FRAGMENT;
			return DROP_NONE;
		}
		return check_icmp6(f, h, off);
	}
	return check_l4(f, off, end, proto, 1, frag);
}

/* 0, or why the frame is dropped. */
INLINE int protect(const struct frame *f)
{
	struct eth *e = f->data;

	if ((void *)(e + 1) > f->end)
		return DROP_SHORT;
	if (f->skb->vlan_present || is_tag(e->proto))
		return DROP_VLAN;
	if ((e->src[0] & 1) || ((f->port->flags & PORT_MAC_NOSPOOF) && !may_mac(f, e->src)))
		return DROP_MAC;
	switch (bpf_ntohs(e->proto)) {
	case P_IP4:
		return check_ip4(f);
	case P_IP6:
		return check_ip6(f);
	case P_ARP:
		return check_arp(f);
	default:
		return f->port->flags & PORT_RESTRICTED ? DROP_RESTRICTED : DROP_NONE;
	}
}

#endif
