/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The switch: what happens to a frame that a VNIC sends. It is attached where the frame arrives at the host's end.
 *
 *	frame → port → link protection → who is it for?
 *	          │            │             ├─ one VNIC: into its peer's namespace at once
 *	          no: drop     no: drop,     ├─ who-has of somebody known: answered here
 *	                       counted       ├─ all: to the ports of this switch
 *	                                     └─ nobody: drop
 *
 * Nothing reaches the switch namespace's own network stack: every way ends in a redirect or a drop.
 */
#include "protect.h"

#define TC_SHOT     2
#define TC_REDIRECT 7

char sw_license[] SEC("license") = "Dual BSD/GPL";

INLINE int drop(struct sw_count *n, int why)
{
	if (n && why > 0 && why < DROP_REASONS)
		n->drops[why]++;
	return TC_SHOT;
}

INLINE void received(__u32 ifindex, __u32 len)
{
	struct sw_count *n = bpf_map_lookup_elem(&counters, &ifindex);

	if (n) {
		n->rpackets++;
		n->rbytes += len;
	}
}

/* To one port. A veth's peer gets it without a second way through a stack. */
INLINE int send_to(struct __sk_buff *skb, const struct sw_dest *d)
{
	received(d->ifindex, skb->len);
	return d->flags & PORT_L2 ? bpf_redirect(d->ifindex, 0) : bpf_redirect_peer(d->ifindex, 0);
}

struct all {
	struct __sk_buff *skb;
	__u32 sw, from;
};

static long send_each(__u32 i, struct all *a)
{
	struct sw_flood_key k = {.sw = a->sw, .i = i + 1};
	__u32 *ifindex = bpf_map_lookup_elem(&flood, &k);

	if (ifindex && *ifindex != a->from) {
		received(*ifindex, a->skb->len);
		bpf_clone_redirect(a->skb, *ifindex, 0);
	}
	return 0;
}

INLINE int send_all(const struct frame *f)
{
	struct sw_flood_key k = {.sw = f->port->sw};
	struct all a = {.skb = f->skb, .sw = f->port->sw, .from = f->ifindex};
	__u32 *n = bpf_map_lookup_elem(&flood, &k);

	if (n)
		bpf_loop(*n < SW_FLOOD ? *n : SW_FLOOD, send_each, &a, 0);
	return TC_SHOT; /* the copies are on their way */
}

/* The answer is the question turned round, and goes back the way it came. 0 if nobody is known to have that address. */
INLINE int answer_arp(const struct frame *f)
{
	struct eth *e = f->data;
	struct arp *a = AT(f, 14, struct arp);
	struct sw_ip_key k = {.sw = f->port->sw, .family = 4};
	struct sw_neigh *n;
	__be32 ip;

	if (!a || (void *)(e + 1) > f->end || a->op != bpf_htons(1))
		return 0;
	ip = a->tpa;
	/* who tells of itself, or looks whether its own is free */
	if (a->spa == ip)
		return 0;
	__builtin_memcpy(k.ip, &ip, 4);
	n = bpf_map_lookup_elem(&neighbours, &k);
	if (!n || mac_eq(n->mac, f->port->mac))
		return 0;
	a->op = bpf_htons(2);
	__builtin_memcpy(a->tha, a->sha, 6);
	__builtin_memcpy(a->sha, n->mac, 6);
	a->tpa = a->spa;
	a->spa = ip;
	__builtin_memcpy(e->dst, e->src, 6);
	__builtin_memcpy(e->src, n->mac, 6);
	return bpf_redirect(f->ifindex, 0);
}

SEC("tc")
int from_vnic(struct __sk_buff *skb)
{
	struct frame f = {.skb = skb, .ifindex = skb->ifindex};
	__u32 want = skb->len < HEADERS ? skb->len : HEADERS;
	struct sw_mac_key k = {};
	struct sw_count *n;
	struct sw_dest *d;
	struct eth *e;
	int r;

	f.port = bpf_map_lookup_elem(&ports, &f.ifindex);
	if (!f.port)
		return TC_SHOT;
	n = bpf_map_lookup_elem(&counters, &f.ifindex);
	if ((long)skb->data_end - (long)skb->data < want)
		bpf_skb_pull_data(skb, want);
	f.data = (void *)(long)skb->data;
	f.end = (void *)(long)skb->data_end;
	r = protect(&f);
	if (r)
		return drop(n, r);
	e = f.data;
	if ((void *)(e + 1) > f.end)
		return drop(n, DROP_SHORT);
	if (n) {
		n->opackets++;
		n->obytes += skb->len;
	}
	if (e->dst[0] & 1) {
		if (e->proto == bpf_htons(P_ARP)) {
			r = answer_arp(&f);
			if (r)
				return r;
		}
		return send_all(&f);
	}
	k.sw = f.port->sw;
	__builtin_memcpy(k.mac, e->dst, 6);
	d = bpf_map_lookup_elem(&fdb, &k);
	if (!d)
		return drop(n, DROP_UNKNOWN);
	if (d->ifindex == f.ifindex)
		return drop(n, DROP_UNKNOWN);
	return send_to(skb, d);
}
