/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bandwidth: what has a ceiling goes over a shaper wire, a veth pair of the switch namespace whose near end has HTB.
 *
 *	sender's ceiling:   from_vnic → wire → from_wire_out → who is it for?
 *	receiver's ceiling: to one port → wire → from_wire_in → that port
 *
 * The frame carries the port's number as its mark, and its class as its priority; both are ours alone, for a zone's own are
 * cleared where the frame leaves the zone. Protection comes before the wires, and neither far end sends to the wire of senders
 * again: there is no loop. An unknown class is dropped by the qdisc, a missing port by the far end.
 */
#ifndef CLOISTER_BPF_SHAPE_H
#define CLOISTER_BPF_SHAPE_H

#include "maps.h"

#define SHAPE_EXT_MAX 8 /* IPv6 extension headers that are followed to the ports */
#define IPP_SCTP      132

struct shape_key {
	__u32 src[4], dst[4];
	__be16 sport, dport;
	__u8 family, proto, ds;
	__u8 part; /* a fragment that is not the first: its ports are not here */
};

/* A part of something counts as part of whichever flow its addresses and its protocol allow: a sender that takes its packets apart is in the flow still. */
INLINE void shape_ports(struct __sk_buff *skb, struct shape_key *k, __u32 off)
{
	struct l4ports p;

	if (k->proto != IPP_TCP && k->proto != IPP_UDP && k->proto != IPP_SCTP)
		return;
	if (k->part || bpf_skb_load_bytes(skb, off, &p, sizeof p) < 0) {
		k->part = 1;
		return;
	}
	k->sport = p.src;
	k->dport = p.dst;
}

INLINE int shape_ip4(struct __sk_buff *skb, struct shape_key *k)
{
	struct ip4 h;

	if (bpf_skb_load_bytes(skb, 14, &h, sizeof h) < 0)
		return 0;
	k->family = 4;
	k->proto = h.proto;
	k->ds = h.tos;
	k->src[0] = h.src;
	k->dst[0] = h.dst;
	k->part = (h.frag & bpf_htons(0x1fff)) != 0;
	shape_ports(skb, k, 14 + (h.vihl & 15) * 4);
	return 1;
}

INLINE int shape_ip6(struct __sk_buff *skb, struct shape_key *k)
{
	__u32 off = 54, proto;
	struct ip6 h;

	if (bpf_skb_load_bytes(skb, 14, &h, sizeof h) < 0)
		return 0;
	k->family = 6;
	k->ds = bpf_ntohl(h.vtf) >> 20;
	__builtin_memcpy(k->src, h.src, 16);
	__builtin_memcpy(k->dst, h.dst, 16);
	proto = h.next;
	for (int i = 0; i < SHAPE_EXT_MAX; i++) {
		__u8 x[4];

		if (proto != IPP_HOPOPTS && proto != IPP_ROUTING && proto != IPP_DSTOPTS && proto != IPP_FRAG && proto != IPP_AH)
			break;
		if (bpf_skb_load_bytes(skb, off, x, sizeof x) < 0)
			break;
		if (proto == IPP_FRAG && ((x[2] << 8 | x[3]) & 0xfff8))
			k->part = 1;
		off += proto == IPP_FRAG ? 8 : proto == IPP_AH ? (x[1] + 2) * 4 : (x[1] + 1) * 8;
		proto = x[0];
		if (k->part)
			break;
	}
	k->proto = proto;
	shape_ports(skb, k, off);
	return 1;
}

INLINE int masked_eq(const __u32 *a, const __u32 *b, const __u32 *mask)
{
	return !(((a[0] ^ b[0]) & mask[0]) | ((a[1] ^ b[1]) & mask[1]) | ((a[2] ^ b[2]) & mask[2]) | ((a[3] ^ b[3]) & mask[3]));
}

INLINE int shape_fits(const struct sw_shape_flow *f, const struct shape_key *k, int in)
{
	__be16 l = in ? k->dport : k->sport, r = in ? k->sport : k->dport;

	if ((f->family && f->family != k->family) || (f->proto && f->proto != k->proto) || (k->ds & f->dsmask) != f->ds)
		return 0;
	if (!k->part && ((f->lport && f->lport != l) || (f->rport && f->rport != r)))
		return 0;
	return masked_eq(in ? k->dst : k->src, f->lip, f->lmask) && masked_eq(in ? k->src : k->dst, f->rip, f->rmask);
}

/* The class of the flow that this frame is of, or 0. A function by itself: its room on the stack is its own. */
SUBPROG __u32 shape_class(struct __sk_buff *skb, __u32 ifindex, __u32 n, int in)
{
	struct sw_shape_flows *all = bpf_map_lookup_elem(&shape_flows, &ifindex);
	struct shape_key k = {};
	int ok;

	if (!all)
		return 0;
	ok = skb->protocol == bpf_htons(P_IP4) ? shape_ip4(skb, &k) : skb->protocol == bpf_htons(P_IP6) ? shape_ip6(skb, &k) : 0;
	if (!ok)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SHAPE_FLOWS; i++) {
		if (i >= n)
			break;
		if (shape_fits(&all->f[i], &k, in))
			return all->f[i].class_;
	}
	return 0;
}

/* Over the wire of one direction (in: what the port receives); 0 if this frame has no ceiling. */
INLINE int shape(struct __sk_buff *skb, __u32 ifindex, const struct sw_shape *s, int in)
{
	__u32 class_ = s->nflows ? shape_class(skb, ifindex, s->nflows, in) : 0;

	if (!class_ && !s->capped)
		return 0;
	if (!class_)
		class_ = s->class_;
	skb->mark = ifindex;
	skb->priority = SHAPE_MAJOR << 16 | (class_ + (skb->len <= SHAPE_SMALL ? 1 : 2));
	return in ? s->wire_in : s->wire_out;
}

#endif
