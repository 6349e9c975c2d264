/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a frame ends: at one port, at all of a switch and its wire, or refused; counted where it does. Whom it is for has been found out,
 * its sender's firewall has been asked of a frame to one port, and is asked here of one to all.
 */
#ifndef CLOISTER_BPF_SEND_H
#define CLOISTER_BPF_SEND_H

#include "fw.h"
#include "shape.h"
#include "storm.h"
#include "uplink.h"

#define TC_SHOT 2

/* Counted at that port. */
INLINE int drop(__u32 ifindex, int why)
{
	struct sw_count *n = bpf_map_lookup_elem(&counters, &ifindex);
	__u64 i = (__u32)why;

	asm volatile("" : "+r"(i)); /* so that what is compared is what is used as the index */
	if (n && i > 0 && i < DROP_REASONS)
		n->drops[i]++;
	return TC_SHOT;
}

INLINE void received(__u32 ifindex, __u32 flags, __u32 len)
{
	__u32 place = SW_PLACE(flags);
	struct sw_traffic *t = place ? bpf_map_lookup_elem(&traffic, &place) : 0;
	struct sw_count *n;

	if (t) {
		t->rpackets++;
		t->rbytes += len;
		return;
	}
	n = bpf_map_lookup_elem(&counters, &ifindex);
	if (n) {
		n->rpackets++;
		n->rbytes += len;
	}
}

INLINE void sent(__u32 ifindex, __u32 flags, __u32 len)
{
	__u32 place = SW_PLACE(flags);
	struct sw_traffic *t = place ? bpf_map_lookup_elem(&traffic, &place) : 0;
	struct sw_count *n;

	if (t) {
		t->opackets++;
		t->obytes += len;
		return;
	}
	n = bpf_map_lookup_elem(&counters, &ifindex);
	if (n) {
		n->opackets++;
		n->obytes += len;
	}
}

/* To one port. A veth's peer gets it without a second way through a stack. */
INLINE int send_now(struct __sk_buff *skb, const struct sw_dest *d)
{
	received(d->ifindex, d->flags, skb->len);
	return d->flags & PORT_L2 ? bpf_redirect(d->ifindex, 0) : bpf_redirect_peer(d->ifindex, 0);
}

/* As fast as that one may receive. A port that is said to be shaped and has no shape is one that is just being changed. */
INLINE int send_to(struct __sk_buff *skb, const struct sw_dest *d)
{
	if (d->flags & PORT_SHAPED) {
		__u32 ifindex = d->ifindex;
		struct sw_shape *s = bpf_map_lookup_elem(&shapes, &ifindex);
		int wire = s ? shape(skb, ifindex, s, 1) : -1;

		if (wire)
			return wire > 0 ? bpf_redirect(wire, 0) : TC_SHOT;
	}
	return send_now(skb, d);
}

/* Of what f's port sent. */
INLINE int refuse(const struct frame *f, int why)
{
	if ((f->port->flags & PORT_LOG) && !(why & LOGGED))
		log_frame(f->skb, ZONE_OF(f->port->vnic), f->ifindex, f->ifindex, why);
	return drop(f->ifindex, why & 0xff);
}

/* What the receiver's firewall refuses is counted where it was to arrive. */
INLINE int refuse_at(const struct frame *f, const struct sw_dest *d, int why)
{
	if ((why & 0xff) == DROP_FW_FULL)
		share_room(ZONE_OF(f->port->vnic) ?: ZONE_OF(d->vnic) | SW_OUTSIDE);
	if ((why & 0xff) != DROP_FW_IN)
		return refuse(f, why);
	if ((d->flags & PORT_LOG) && !(why & LOGGED))
		log_frame(f->skb, ZONE_OF(d->vnic), f->ifindex, d->ifindex, why);
	return drop(d->ifindex, DROP_FW_IN);
}

struct all {
	struct __sk_buff *skb;
	__u32 sw, from;
};

/* flags: of the port that it would go to. */
INLINE int refuses(struct __sk_buff *skb, __u32 ifindex, __u32 from, __u32 *flags)
{
	struct sw_port *to = bpf_map_lookup_elem(&ports, &ifindex);
	int r = to && (to->flags & PORT_FIREWALL) ? fw_member(skb, ZONE_OF(to->vnic), to->flags, from) : 0;

	*flags = to ? to->flags : 0;
	if (r && (to->flags & PORT_LOG) && !(r & LOGGED))
		log_frame(skb, ZONE_OF(to->vnic), from, ifindex, r);
	if (r)
		drop(ifindex, r & 0xff);
	return r;
}

static long send_each(__u32 i, struct all *a)
{
	struct sw_flood_key k = {.sw = a->sw, .i = i + 1};
	__u32 *ifindex = bpf_map_lookup_elem(&flood, &k);
	struct sw_shape *s;
	__u32 flags;
	int wire = 0;

	if (!ifindex || *ifindex == a->from || refuses(a->skb, *ifindex, a->from, &flags))
		return 0;
	s = bpf_map_lookup_elem(&shapes, ifindex);
	if (s)
		wire = shape(a->skb, *ifindex, s, 1);
	if (!wire)
		received(*ifindex, flags, a->skb->len);
	bpf_clone_redirect(a->skb, wire ?: *ifindex, 0);
	if (wire) {
		a->skb->mark = 0;
		a->skb->priority = 0;
	}
	return 0;
}

static __attribute__((noinline)) int send_all(const struct frame *f)
{
	struct sw_flood_key k = {.sw = f->sw};
	struct all a = {.skb = f->skb, .sw = f->sw, .from = f->ifindex};
	__u32 *n = bpf_map_lookup_elem(&flood, &k);
	struct sw_wire *w = wire_of(f);
	__u32 copies = (n ? *n : 0) + (w ? (w->kind == WIRE_FABRIC ? w->nends : 1) : 0);
	struct eth *e = f->data;
	int r;

	if (w && ((void *)(e + 1) > f->end || for_neighbour(e->dst)))
		w = 0;
	/* a large segment is copied whole: it is as many frames as it has bytes for */
	r = copies > 1 ? storm_check(f->ifindex, (copies - 1) * (1 + f->skb->len / SW_STORM_BYTES), f->port->flags & PORT_OUTSIDE ? SW_STORM_COPIES_OUTSIDE : SW_STORM_COPIES) : 0;
	if (r == 0)
		r = firewall_group(f);
	if (r)
		return refuse(f, r);
	if (n)
		bpf_loop(*n < SW_FLOOD ? *n : SW_FLOOD, send_each, &a, 0);
	return w ? all_outside(f->skb, w, k.sw) : TC_SHOT; /* the copies are on their way */
}

#endif
