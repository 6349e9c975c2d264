/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a firewall wants to know of a frame: whose it is, and which flow it belongs to. Link protection has looked at it
 * before, or was switched off; nothing is taken from that. What can't be read in full is refused.
 */
#ifndef CLOISTER_BPF_PACKET_H
#define CLOISTER_BPF_PACKET_H

#include "protect.h"

enum { /* packet.what */
	PKT_OTHER, /* not IP */
	PKT_LINK,  /* what a link can't be without: ARP, neighbour discovery, group membership */
	PKT_FLOW,  /* of a flow that any of its packets may begin, but for TCP's */
	PKT_REPLY, /* answers a question (ICMP echo, timestamp): begins nothing */
	PKT_ERROR, /* ICMP's, about another packet */
	PKT_LONE,  /* a flow by itself */
	PKT_LATER, /* a fragment behind the first */
};

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

struct packet {
	__u8 what, family, proto;
	__u8 kind;           /* of the flow's key */
	__u8 tcp;            /* flags */
	__u8 first;          /* of several fragments */
	__be16 sport, dport; /* of questions and answers of ICMP the id */
	__u8 type, code;     /* of ICMP */
	__u32 id;            /* that fragments share */
	__u32 src[4], dst[4];
	__u32 l4, end;       /* where what it carries begins, and ends */
};

INLINE int icmp_of(const struct frame *f, struct packet *p, int v6)
{
	const __u8 *b = AT(f, p->l4 & 0xff, __u8);

	if (!b || (void *)(b + 8) > f->end || p->l4 + 8 > p->end)
		return DROP_SHORT;
	p->type = b[0];
	p->code = b[1];
	p->what = PKT_LONE;
	if (v6 ? p->type >= 1 && p->type <= 4 : p->type == 3 || p->type == 4 || p->type == 11 || p->type == 12)
		p->what = PKT_ERROR;
	else if (v6 ? p->type == 128 : p->type == 8 || p->type == 13)
		p->what = PKT_FLOW;
	else if (v6 ? p->type == 129 : p->type == 0 || p->type == 14)
		p->what = PKT_REPLY;
	if (p->what == PKT_FLOW || p->what == PKT_REPLY) {
		__builtin_memcpy(&p->sport, b + 4, 2);
		p->dport = p->sport;
		p->kind = v6 ? 128 : p->type >= 13 ? 13 : 8;
	}
	return 0;
}

/* Which combinations there are (RFC 9293); the others are for finding out what a host is. */
INLINE int tcp_flags_ok(__u8 t)
{
	t &= TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK;
	return t == TCP_SYN || t == (TCP_SYN | TCP_ACK) || t == TCP_RST || t == (TCP_RST | TCP_ACK) || t == TCP_ACK ||
	       t == (TCP_FIN | TCP_ACK);
}

INLINE int carried(const struct frame *f, struct packet *p)
{
	const __u8 *b;

	if (p->proto != IPP_TCP && p->proto != IPP_UDP)
		return 0;
	b = AT(f, p->l4 & 0xff, __u8);
	if (!b || (void *)(b + 8) > f->end || p->l4 + 8 > p->end)
		return DROP_SHORT;
	__builtin_memcpy(&p->sport, b, 4); /* both */
	if (p->proto == IPP_UDP)
		return 0;
	if ((void *)(b + 14) > f->end || p->l4 + 14 > p->end)
		return DROP_SHORT;
	p->tcp = b[13];
	return tcp_flags_ok(p->tcp) ? 0 : DROP_FW_STATE;
}

INLINE int packet4(const struct frame *f, struct packet *p)
{
	const struct ip4 *h = AT(f, 14, struct ip4);
	__u32 frag, hl;

	if (!h || (h->vihl >> 4) != 4)
		return DROP_SHORT;
	hl = (h->vihl & 15) * 4;
	if (hl < 20)
		return DROP_SHORT;
	p->family = 4;
	p->proto = h->proto;
	p->src[0] = h->src;
	p->dst[0] = h->dst;
	p->l4 = 14 + hl;
	p->end = f->skb->gso_segs ? f->skb->len : 14 + (__u32)bpf_ntohs(h->len);
	p->what = PKT_FLOW;
	frag = bpf_ntohs(h->frag);
	p->id = h->id;
	if (frag & 0x1fff) {
		p->what = PKT_LATER;
		return 0;
	}
	p->first = (frag & 0x2000) != 0;
	return p->proto == IPP_ICMP ? icmp_of(f, p, 0) : carried(f, p);
}

/* One extension header: 1 = there may be more, 0 = none, or what it is lets nothing follow; else -DROP_*. Those of IPsec are what a rule may name. */
INLINE int extension(const struct frame *f, struct packet *p)
{
	const __u8 *x;

	if (p->proto != IPP_HOPOPTS && p->proto != IPP_ROUTING && p->proto != IPP_DSTOPTS && p->proto != IPP_FRAG)
		return 0;
	x = AT(f, p->l4 & 0xff, __u8);
	if (!x || (void *)(x + 8) > f->end || p->l4 + 8 > p->end)
		return -DROP_SHORT;
	if (p->proto == IPP_FRAG) {
		__builtin_memcpy(&p->id, x + 4, 4);
		p->proto = x[0];
		p->l4 += 8;
		if (x[2] || (x[3] & 0xf8)) {
			p->what = PKT_LATER;
			return 0;
		}
		p->first = x[3] & 1;
		return 1;
	}
	p->proto = x[0];
	p->l4 += (x[1] + 1) * 8;
	return p->l4 > HEADERS - 24 ? -DROP_FRAGMENT : 1;
}

/* Behind them. Six by hand: before Linux 6.6 the kernel takes no loop of this shape, and the compiler does not unroll it. */
INLINE int after_extensions(const struct frame *f, struct packet *p)
{
	int r = extension(f, p);

	_Static_assert(EXT_MAX == 6, "as many as there are lines");
	if (r > 0)
		r = extension(f, p);
	if (r > 0)
		r = extension(f, p);
	if (r > 0)
		r = extension(f, p);
	if (r > 0)
		r = extension(f, p);
	if (r > 0)
		r = extension(f, p);
	return r > 0 ? DROP_FRAGMENT : -r;
}

INLINE int packet6(const struct frame *f, struct packet *p)
{
	const struct ip6 *h = AT(f, 14, struct ip6);
	int r;

	if (!h || (h->vtf & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return DROP_SHORT;
	p->family = 6;
	p->proto = h->next;
	__builtin_memcpy(p->src, h->src, 16);
	__builtin_memcpy(p->dst, h->dst, 16);
	p->l4 = 54;
	p->end = f->skb->gso_segs ? f->skb->len : 54 + (__u32)bpf_ntohs(h->len);
	p->what = PKT_FLOW;
	r = after_extensions(f, p);
	if (r || p->what == PKT_LATER)
		return r;
	if (p->proto != IPP_ICMP6)
		return carried(f, p);
	r = icmp_of(f, p, 1);
	if (r)
		return r;
	/* nobody farther away than the link can send these */
	if (p->type >= ND_RS && p->type <= ND_REDIRECT && h->hops == 255)
		p->what = PKT_LINK;
	if (((p->type >= 130 && p->type <= 132) || p->type == 143) && h->hops == 1)
		p->what = PKT_LINK;
	return 0;
}

/* 0, or why it is dropped. p is all zero. */
SUBPROG int packet_of(struct __sk_buff *skb, struct packet *p)
{
	struct frame here = {.skb = skb, .data = (void *)(long)skb->data, .end = (void *)(long)skb->data_end}, *f = &here;
	const struct eth *e = here.data;

	if (!p || (void *)(e + 1) > f->end)
		return DROP_SHORT;
	if (e->proto == bpf_htons(P_IP4))
		return packet4(f, p);
	if (e->proto == bpf_htons(P_IP6))
		return packet6(f, p);
	p->what = e->proto == bpf_htons(P_ARP) ? PKT_LINK : PKT_OTHER;
	return 0;
}

/* What an ICMP error is about: the head of a packet that its receiver is said to have sent. 0 if that can't be told. */
SUBPROG int packet_inside(struct __sk_buff *skb, const struct packet *p, struct packet *in)
{
	struct frame here = {.skb = skb, .data = (void *)(long)skb->data, .end = (void *)(long)skb->data_end}, *f = &here;
	__u32 at, more;
	const __u8 *b;

	if (!p || !in)
		return 0;
	at = p->l4 + 8;
	in->family = p->family;
	in->end = ~0u;
	if (p->family == 4) {
		const struct ip4 *h = AT(f, at & 0xff, struct ip4);

		if (!h || (h->vihl >> 4) != 4 || (h->frag & bpf_htons(0x1fff)))
			return 0;
		in->proto = h->proto;
		in->src[0] = h->src;
		in->dst[0] = h->dst;
		more = (h->vihl & 15) * 4;
	} else {
		const struct ip6 *h = AT(f, at & 0xff, struct ip6);

		if (!h)
			return 0;
		in->proto = h->next;
		__builtin_memcpy(in->src, h->src, 16);
		__builtin_memcpy(in->dst, h->dst, 16);
		more = 40;
	}
	at += more;
	if (at > HEADERS - 8)
		return 0;
	in->l4 = at;
	b = AT(f, at & 0xff, __u8);
	if (!b || (void *)(b + 8) > f->end)
		return 0;
	if (in->proto == (p->family == 4 ? IPP_ICMP : IPP_ICMP6)) {
		if (icmp_of(f, in, p->family == 6) || (in->what != PKT_FLOW && in->what != PKT_REPLY))
			return 0;
	} else if (in->proto == IPP_TCP || in->proto == IPP_UDP) {
		__builtin_memcpy(&in->sport, b, 4);
	}
	/* told to who has sent it, and to nobody else */
	return in->src[0] == p->dst[0] && in->src[1] == p->dst[1] && in->src[2] == p->dst[2] && in->src[3] == p->dst[3];
}

#endif
