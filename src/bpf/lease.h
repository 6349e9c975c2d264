/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DHCP for machines (RFC 2131): a guest is told its address by the port that it asks at. The answer was written beforehand, as the frame that goes
 * out; what is of the question is put into it. So nothing runs for it, it is there on every switch, also on an uplink's, and no question leaves the
 * port. What a client releases or declines stays its own: that is not its to say.
 */
#ifndef CLOISTER_BPF_LEASE_H
#define CLOISTER_BPF_LEASE_H

#include "protect.h"

/* Offsets in a frame whose IP header has no options. */
#define AT_IP      14
#define AT_UDP     34
#define AT_BOOTP   42
#define AT_XID     46
#define AT_FLAGS   52
#define AT_CIADDR  54
#define AT_YIADDR  58
#define AT_GIADDR  66
#define AT_CHADDR  70
#define AT_COOKIE  278
#define AT_OPTIONS 282
#define AT_TYPE    284 /* of our answer: the first option's value, */
#define AT_TIMES   291 /* behind the server's address the lease's three times, */
#define N_TIMES    18  /* which an answer to INFORM has not */

/* By what is read already, so that others pay nothing. Who may send from other link addresses has guests of its own: what those ask is not for it to be told. */
INLINE int lease_maybe(const struct frame *f)
{
	const struct eth *e = f->data;
	const struct ip4 *h = AT(f, AT_IP, struct ip4);
	const struct l4ports *p = AT(f, AT_UDP, struct l4ports);

	return h && p && e->proto == bpf_htons(P_IP4) && h->proto == IPP_UDP && p->dst == bpf_htons(67) &&
	       ((f->port->flags & PORT_MAC_NOSPOOF) || mac_eq(e->src, f->port->mac));
}

struct lease_ask {
	__u32 requested, server;
	__u8 type, pad[3];
};

/* From pos to end: 0, or -1 = not to be told. */
SUBPROG int lease_options(struct __sk_buff *skb, __u32 end, struct lease_ask *a)
{
	__u32 pos = AT_OPTIONS;
	__u8 o[2];

	if (!a)
		return -1;
	for (int i = 0; i < DHCP_OPTIONS; i++) {
		if (pos >= end || bpf_skb_load_bytes(skb, pos, o, 1) < 0)
			return -1;
		if (o[0] == 255)
			return 0;
		pos++;
		if (o[0] == 0)
			continue;
		if (pos >= end || bpf_skb_load_bytes(skb, pos, o + 1, 1) < 0)
			return -1;
		pos++;
		if (o[0] == 53 && (o[1] != 1 || bpf_skb_load_bytes(skb, pos, &a->type, 1) < 0))
			return -1;
		if (o[0] == 50 && (o[1] != 4 || bpf_skb_load_bytes(skb, pos, &a->requested, 4) < 0))
			return -1;
		if (o[0] == 54 && (o[1] != 4 || bpf_skb_load_bytes(skb, pos, &a->server, 4) < 0))
			return -1;
		pos += o[1];
	}
	return -1;
}

INLINE __u32 lease_fold(__u32 s)
{
	s = (s & 0xffff) + (s >> 16);
	return (s & 0xffff) + (s >> 16);
}

/*
 * What its client has left to the last device to sum up has the sum of addresses, protocol and length there for now, and so must our answer:
 * whoever finishes the sum does so when it is too late for us. Other answers go without one.
 */
INLINE int lease_unsummed(const __u8 *ip, const __u8 *udp)
{
	__u32 s = 17;

	for (int i = 12; i < 20; i += 2)
		s += ip[i] << 8 | ip[i + 1];
	s += udp[4] << 8 | udp[5];
	return lease_fold(s) == (__u32)(udp[6] << 8 | udp[7]);
}

/* A question for port 67: 0 = it is none, else 1, or 2 = not summed up. end: where its options end. */
SUBPROG int lease_asked(struct __sk_buff *skb, __u32 *end)
{
	__u8 h[28], b[4];

	if (!end || skb->gso_segs || skb->gso_size || bpf_skb_load_bytes(skb, AT_IP, h, sizeof h) < 0)
		return 0;
	if (h[0] != 0x45 || h[9] != IPP_UDP || (h[6] & 0x3f) || h[7] || h[22] != 0 || h[23] != 67)
		return 0;
	*end = AT_UDP + (h[24] << 8 | h[25]);
	if (*end > skb->len)
		return 0;
	if (bpf_skb_load_bytes(skb, AT_BOOTP, b, 4) < 0 || b[0] != 1 || b[1] != 1 || b[2] != 6)
		return 0;
	if (bpf_skb_load_bytes(skb, AT_COOKIE, b, 4) < 0 || b[0] != 99 || b[1] != 130 || b[2] != 83 || b[3] != 99)
		return 0;
	return 1 + lease_unsummed(h, h + 20);
}

enum { LEASE_OFFER = 2, LEASE_ACK = 5, LEASE_NAK = 6, LEASE_INFORM = 8 };

/* What is answered: LEASE_INFORM is an ACK to that; 0 = nothing. */
INLINE int lease_decide(const struct sw_lease *l, const struct lease_ask *a, __u32 ciaddr)
{
	switch (a->type) {
	case 1:
		return LEASE_OFFER;
	case 3:
		if (a->server && a->server != l->server)
			return 0;
		if ((a->requested && a->requested != l->ip) || (ciaddr && ciaddr != l->ip))
			return LEASE_NAK;
		return a->requested || ciaddr ? LEASE_ACK : 0;
	case 8:
		return ciaddr ? LEASE_INFORM : 0;
	default:
		return 0;
	}
}

struct lease_client {
	__u8 mac[6], pad[2];
	__u32 xid, ciaddr;
	__u8 chaddr[16];
	__u8 flags, unsummed;
};

INLINE int lease_client_of(struct __sk_buff *skb, struct lease_client *c)
{
	return bpf_skb_load_bytes(skb, 6, c->mac, 6) < 0 || bpf_skb_load_bytes(skb, AT_XID, &c->xid, 4) < 0 ||
			       bpf_skb_load_bytes(skb, AT_FLAGS, &c->flags, 1) < 0 || bpf_skb_load_bytes(skb, AT_CIADDR, &c->ciaddr, 4) < 0 ||
			       bpf_skb_load_bytes(skb, AT_CHADDR, c->chaddr, 16) < 0
		       ? -1
		       : 0;
}

SUBPROG int lease_write(struct __sk_buff *skb, const struct lease_client *c, __u32 ifindex, int what)
{
	struct sw_lease *l = bpf_map_lookup_elem(&leases, &ifindex);
	__u8 zero[N_TIMES] = {}, end = 255, type = what == LEASE_INFORM ? LEASE_ACK : what, flags;
	__be16 sum;

	if (!c || !l || bpf_skb_change_tail(skb, SW_LEASE_FRAME, 0) < 0 || bpf_skb_store_bytes(skb, 0, l->frame, SW_LEASE_FRAME, 0) < 0)
		return -1;
	sum = c->unsummed ? l->sum : 0;
	flags = c->flags & 0x80;
	if (bpf_skb_store_bytes(skb, 0, c->mac, 6, 0) < 0 || bpf_skb_store_bytes(skb, AT_UDP + 6, &sum, 2, 0) < 0 ||
	    bpf_skb_store_bytes(skb, AT_XID, &c->xid, 4, 0) < 0 || bpf_skb_store_bytes(skb, AT_FLAGS, &flags, 1, 0) < 0 ||
	    bpf_skb_store_bytes(skb, AT_CHADDR, c->chaddr, 16, 0) < 0 || bpf_skb_store_bytes(skb, AT_TYPE, &type, 1, 0) < 0)
		return -1;
	if (what != LEASE_NAK && bpf_skb_store_bytes(skb, AT_CIADDR, &c->ciaddr, 4, 0) < 0)
		return -1;
	if ((what == LEASE_NAK || what == LEASE_INFORM) && bpf_skb_store_bytes(skb, AT_YIADDR, zero, 4, 0) < 0)
		return -1;
	if (what == LEASE_INFORM && bpf_skb_store_bytes(skb, AT_TIMES, zero, N_TIMES, 0) < 0)
		return -1;
	return what == LEASE_NAK && bpf_skb_store_bytes(skb, AT_TIMES, &end, 1, 0) < 0 ? -1 : 0;
}

/* 0 = no question, 1 = the frame is the answer now, -1 = there is none. */
SUBPROG int lease_answer(struct __sk_buff *skb, __u32 ifindex)
{
	struct sw_lease *l = bpf_map_lookup_elem(&leases, &ifindex);
	struct lease_ask a = {};
	struct lease_client c = {};
	__u32 end = 0;
	int asked, what;

	asked = l ? lease_asked(skb, &end) : 0;
	if (!asked)
		return 0;
	if (lease_options(skb, end, &a) < 0 || lease_client_of(skb, &c) < 0)
		return -1;
	c.unsummed = asked == 2;
	what = lease_decide(l, &a, c.ciaddr);
	return what && lease_write(skb, &c, ifindex, what) == 0 ? 1 : -1;
}

#endif
