/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The switch: what happens to a frame that a VNIC sends. It is attached where the frame arrives at the host's end.
 *
 *	frame → port → link protection → who is it for?
 *	          │            │             ├─ a machine's question for DHCP: answered here
 *	          │            │             ├─ one VNIC: firewalls → into its peer's namespace at once
 *	          no: drop     no: drop,     ├─ who-has of somebody known: answered here
 *	                       counted       ├─ all: sender's firewall → to the ports of this switch, by the firewall of each
 *	                                     └─ nobody: drop
 *
 * Nothing reaches the switch namespace's own network stack: every way ends in a redirect or a drop.
 */
#include "fw.h"
#include "lease.h"
#include "send.h"
#include "vrrp.h"

#define TC_REDIRECT 7

char sw_license[] SEC("license") = "Dual BSD/GPL";

/* The answer is the question turned round, and goes back the way it came: 1, and *verdict. 0 if nobody is known to have that address. */
static __attribute__((noinline)) int answer_arp(const struct frame *f, int *verdict)
{
	struct eth *e = f->data;
	struct arp *a = AT(f, 14, struct arp);
	struct sw_ip_key k = {.sw = f->sw, .family = 4};
	struct sw_dest back = {.ifindex = f->ifindex, .flags = f->port->flags & PORT_SHAPED};
	struct {
		struct eth e;
		struct arp a;
	} __attribute__((packed)) out;
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
	out.e.proto = e->proto;
	out.a = *a;
	out.a.op = bpf_htons(2);
	__builtin_memcpy(out.a.tha, a->sha, 6);
	__builtin_memcpy(out.a.sha, n->mac, 6);
	out.a.tpa = a->spa;
	out.a.spa = ip;
	__builtin_memcpy(out.e.dst, e->src, 6);
	__builtin_memcpy(out.e.src, n->mac, 6);
	/* never by a pointer: a program with one write of that kind has the kernel copy the head of every frame that it shares with its sender */
	*verdict = TC_SHOT;
	if (bpf_skb_store_bytes(f->skb, 0, &out, sizeof out, 0) < 0)
		return 1;
	/* not to the peer: a frame doesn't turn round there */
	back.flags |= PORT_L2;
	*verdict = send_to(f->skb, &back);
	return 1;
}

/* As answer_arp(). */
static __attribute__((noinline)) int answer_dhcp(const struct frame *f, int *verdict)
{
	struct sw_dest back = {.ifindex = f->ifindex, .flags = (f->port->flags & PORT_SHAPED) | PORT_L2};
	int r = lease_answer(f->skb, f->ifindex);

	*verdict = r > 0 ? send_to(f->skb, &back) : -1;
	return r;
}

/*
 * A TCP segment without options of IP has all that is read of it in its first piece, as kernels make them. To pull more would copy the head,
 * which the sender keeps for the case that it has to send again.
 */
INLINE int has_headers(const struct __sk_buff *skb)
{
	const struct eth *e = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	const struct ip4 *h4 = (const void *)(e + 1);
	const struct ip6 *h6 = (const void *)(e + 1);

	if ((const void *)(h4 + 1) + 20 > end)
		return 0;
	if (e->proto == bpf_htons(P_IP4))
		return h4->vihl == 0x45 && h4->proto == IPP_TCP;
	return e->proto == bpf_htons(P_IP6) && (const void *)(h6 + 1) + 20 <= end && h6->next == IPP_TCP;
}

/* The headers, where they can be read. */
INLINE void pull(struct frame *f)
{
	__u32 want = f->skb->len < HEADERS ? f->skb->len : HEADERS;

	if ((long)f->skb->data_end - (long)f->skb->data < want && !has_headers(f->skb))
		bpf_skb_pull_data(f->skb, want);
	f->data = (void *)(long)f->skb->data;
	f->end = (void *)(long)f->skb->data_end;
}

/* Who is it for? Of a frame that may be sent. */
INLINE int deliver(struct frame *f)
{
	struct sw_mac_key k = {.sw = f->sw};
	struct sw_dest *d, out = {.flags = PORT_L2};
	struct eth *e = f->data;
	struct sw_wire *w;
	int r;

	if ((void *)(e + 1) > f->end)
		return refuse(f, DROP_SHORT);
	sent(f->ifindex, f->port->flags, f->skb->len);
	if ((f->port->flags & PORT_LEASE) && lease_maybe(f)) {
		if (answer_dhcp(f, &r))
			return r < 0 ? refuse(f, DROP_DHCP) : r;
		pull(f); /* after a function that may write to it the kernel knows no more where it lies */
		e = f->data;
		if ((void *)(e + 1) > f->end)
			return refuse(f, DROP_SHORT);
	}
	if (e->dst[0] & 1) {
		if (e->proto == bpf_htons(P_ARP) && !(f->port->flags & PORT_OUTSIDE) && answer_arp(f, &r))
			return r;
		return send_all(f);
	}
	__builtin_memcpy(k.mac, e->dst, 6);
	d = bpf_map_lookup_elem(&fdb, &k);
	if (!d && vrrp_mac(e->dst) && vrrp_port(f->sw, k.mac[4], k.mac[5], &out))
		d = &out;
	w = d ? 0 : wire_of(f);
	if (w) {
		out.ifindex = w->ifindex;
		d = &out;
	}
	if (!d || d->ifindex == f->ifindex)
		return refuse(f, DROP_UNKNOWN);
	r = firewall(f, d);
	if (r)
		return refuse_at(f, d, r);
	if (w) {
		r = outside(f, w, &k);
		return r < 0 ? refuse(f, -r) : r;
	}
	return send_to(f->skb, d);
}

/* From the MAC of a virtual router; vrid: of that one. */
INLINE int from_vrrp(const struct frame *f, __u8 vrid)
{
	const struct eth *e = f->data;

	return (void *)(e + 1) <= f->end && vrrp_mac(e->src) && (!vrid || e->src[5] == vrid);
}

/*
 * A veth's other end can send no frame that is too long for this one; a tap's can, and of large segments both: whoever may write frames says of one
 * how long its pieces are to be, and drivers of cards need not stand what their MTU has not. From a tap the pieces are not counted yet (gso_segs).
 */
INLINE int too_long(struct __sk_buff *skb)
{
	__u32 none = 0;

	return bpf_check_mtu(skb, 0, &none, 0, BPF_MTU_CHK_SEGS) != 0;
}

SEC("tc")
int from_vnic(struct __sk_buff *skb)
{
	struct frame f = {.skb = skb, .ifindex = skb->ifindex};
	int r;

	f.port = bpf_map_lookup_elem(&ports, &f.ifindex);
	if (!f.port)
		return TC_SHOT;
	f.sw = f.port->sw;
	pull(&f);
	r = protect(&f);
	if (r == 0 && ((f.port->flags & PORT_L2) || skb->gso_size) && too_long(skb))
		r = DROP_LONG;
	if (r)
		return refuse(&f, r);
	if (f.port->vrrp && from_vrrp(&f, f.port->vrrp))
		vrrp_moves(skb, f.sw, f.ifindex);
	if (f.port->flags & PORT_SHAPED) {
		struct sw_shape *s = bpf_map_lookup_elem(&shapes, &f.ifindex);

		r = s ? shape(skb, f.ifindex, s, 0) : -1;
		if (r)
			return r > 0 ? bpf_redirect(r, 0) : TC_SHOT;
	}
	return deliver(&f);
}

/* The far end of the senders' wire. */
SEC("tc")
int from_wire_out(struct __sk_buff *skb)
{
	struct frame f = {.skb = skb, .ifindex = skb->mark};

	skb->mark = 0;
	skb->priority = 0;
	f.port = bpf_map_lookup_elem(&ports, &f.ifindex);
	if (!f.port)
		return TC_SHOT;
	f.sw = f.port->sw;
	pull(&f);
	return deliver(&f);
}

/* The far end of the receivers' wire. */
SEC("tc")
int from_wire_in(struct __sk_buff *skb)
{
	struct sw_dest d = {.ifindex = skb->mark};
	struct sw_port *p = bpf_map_lookup_elem(&ports, &d.ifindex);

	skb->mark = 0;
	skb->priority = 0;
	if (!p)
		return TC_SHOT;
	d.flags = p->flags;
	return send_now(skb, &d);
}

/* What came from a wire, and is on that switch of its nic tag. */
INLINE int from_outside(struct frame *f, __u32 sw)
{
	struct sw_dest *d;
	int r;

	f->sw = sw;
	pull(f);
	r = check_outside(f);
	if (r)
		return drop(f->ifindex, r);
	if (from_vrrp(f, 0))
		vrrp_moves(f->skb, sw, 0);
	d = asked_for(f);
	return d ? send_to(f->skb, d) : deliver(f);
}

SEC("tc")
int from_uplink(struct __sk_buff *skb)
{
	struct frame f = {.skb = skb, .ifindex = skb->ifindex};
	int vlan;

	f.port = bpf_map_lookup_elem(&ports, &f.ifindex);
	if (!f.port || !(f.port->flags & PORT_OUTSIDE))
		return TC_SHOT;
	vlan = untag(skb);
	return vlan < 0 ? drop(f.ifindex, DROP_VLAN) : from_outside(&f, f.port->sw | vlan);
}

SEC("tc")
int from_tunnel(struct __sk_buff *skb)
{
	struct frame f = {.skb = skb, .ifindex = skb->ifindex};
	__u32 sw;

	f.port = bpf_map_lookup_elem(&ports, &f.ifindex);
	if (!f.port || !(f.port->flags & PORT_OUTSIDE))
		return TC_SHOT;
	sw = untunnel(skb);
	if (!sw)
		return drop(f.ifindex, DROP_PEER);
	if (skb->vlan_present)
		return drop(f.ifindex, DROP_VLAN);
	return from_outside(&f, sw);
}
