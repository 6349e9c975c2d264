/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What lies outside this host: a nic tag's wire is an uplink (a device of the host's, with VLAN tags on it) or a fabric (a VXLAN to other
 * hosts). What comes from there goes to ports of this host alone, never to a wire again: between two wires we are no bridge.
 */
#ifndef CLOISTER_BPF_UPLINK_H
#define CLOISTER_BPF_UPLINK_H

#include "protect.h"
#include "storm.h"

#define TUNNEL_TTL 64

INLINE struct sw_wire *wire_of(const struct frame *f)
{
	__u32 tag = f->sw >> 12;

	return f->port->flags & PORT_OUTSIDE ? 0 : bpf_map_lookup_elem(&tag_wires, &tag);
}

/* ---- out ---- */

INLINE void sent_out(__u32 ifindex, __u32 len)
{
	struct sw_count *n = bpf_map_lookup_elem(&counters, &ifindex);

	if (n) {
		n->rpackets++;
		n->rbytes += len;
	}
}

INLINE int set_end(struct __sk_buff *skb, const struct sw_wire *w, const struct sw_end *to)
{
	struct bpf_tunnel_key k = {.tunnel_id = w->vni, .tunnel_ttl = TUNNEL_TTL};
	__u64 flags = BPF_F_ZERO_CSUM_TX;

	if (to->family != w->family)
		return -1;
	if (to->family == 6) {
		flags = BPF_F_TUNINFO_IPV6;
		__builtin_memcpy(k.remote_ipv6, to->ip, 16);
		__builtin_memcpy(k.local_ipv6, w->local, 16);
	} else {
		k.remote_ipv4 = to->ip[0];
		k.local_ipv4 = w->local[0];
	}
	return bpf_skb_set_tunnel_key(skb, &k, sizeof k, flags);
}

struct to_ends {
	struct __sk_buff *skb;
	const struct sw_wire *w;
	__u32 sw;
};

static long send_end(__u32 i, struct to_ends *a)
{
	struct sw_flood_key k = {.sw = a->sw, .i = i + 1};
	struct sw_end *to = bpf_map_lookup_elem(&ends, &k);

	if (to && set_end(a->skb, a->w, to) == 0) {
		sent_out(a->w->ifindex, a->skb->len);
		bpf_clone_redirect(a->skb, a->w->ifindex, 0);
	}
	return 0;
}

/* A copy for each end: what lies between the hosts need not know of multicast. */
INLINE int to_all_ends(struct __sk_buff *skb, const struct sw_wire *w, __u32 sw)
{
	struct to_ends a = {.skb = skb, .w = w, .sw = sw};

	bpf_loop(w->nends < SW_ENDS ? w->nends : SW_ENDS, send_end, &a, 0);
	return 2; /* the copies are on their way */
}

/* 802.1D: 01:80:c2:00:00:0x is between two neighbours on a wire. A zone is none of ours: a BPDU of its own could have the port shut. */
INLINE int for_neighbour(const __u8 *m)
{
	return m[0] == 1 && m[1] == 0x80 && m[2] == 0xc2 && m[3] == 0 && m[4] == 0 && m[5] < 16;
}

INLINE int to_uplink(struct __sk_buff *skb, const struct sw_wire *w, __u32 sw)
{
	__u32 ifindex = w->ifindex;

	sent_out(ifindex, skb->len);
	if ((sw & 4095) && bpf_skb_vlan_push(skb, bpf_htons(P_8021Q), sw & 4095) < 0)
		return 2;
	return bpf_redirect(ifindex, 0);
}

/* To everybody out there. What the program returns. A copy also to an uplink: an announcement (net/announce.c) is a trial run, where nothing is handed on. */
INLINE int all_outside(struct __sk_buff *skb, const struct sw_wire *w, __u32 sw)
{
	__u32 ifindex = w->ifindex;

	if (w->kind != WIRE_UPLINK)
		return to_all_ends(skb, w, sw);
	sent_out(ifindex, skb->len);
	if (!(sw & 4095) || bpf_skb_vlan_push(skb, bpf_htons(P_8021Q), sw & 4095) == 0)
		bpf_clone_redirect(skb, ifindex, 0);
	return 2;
}

/* To one who is not here. What the program returns, or why it is dropped, negative. */
INLINE int outside(const struct frame *f, const struct sw_wire *w, const struct sw_mac_key *k)
{
	struct sw_end *to;

	if (w->kind == WIRE_UPLINK)
		return to_uplink(f->skb, w, k->sw);
	to = bpf_map_lookup_elem(&remotes, k);
	if (!to) {
		if (!(w->flags & WIRE_FLOOD))
			return -DROP_UNKNOWN;
		/* that a copy goes to each costs its sender nothing either; where no file says who is where this is how all frames go, so there may be more */
		if (w->nends > 1 && storm_check(f->ifindex, w->nends - 1, SW_STORM_COPIES_OUTSIDE))
			return -DROP_STORM;
		return to_all_ends(f->skb, w, k->sw);
	}
	if (set_end(f->skb, w, to) < 0)
		return 2;
	sent_out(w->ifindex, f->skb->len);
	return bpf_redirect(w->ifindex, 0);
}

/* ---- in ---- */

INLINE int is_here(__u32 sw, const __u8 *mac)
{
	struct sw_mac_key k = {.sw = sw};

	__builtin_memcpy(k.mac, mac, 6);
	return bpf_map_lookup_elem(&fdb, &k) != 0;
}

/* Whether the address is that of somebody on this host. */
INLINE int is_ours(__u32 sw, __u32 family, const void *ip)
{
	struct sw_ip_key k = {.sw = sw, .family = family};
	struct sw_neigh *n;

	__builtin_memcpy(k.ip, ip, family == 4 ? 4 : 16);
	n = bpf_map_lookup_elem(&neighbours, &k);
	return n && is_here(sw, n->mac);
}

/* From an address of its own somebody may advertise another's, behind whatever headers, where ARP would have named that one as the sender. */
INLINE int check_advertised(const struct frame *f, const struct ip6 *h)
{
	__u32 off = 54, proto = h->next, frag = 0;
	struct nd *n;
	__u8 ip[16];
	int i;

	for (i = 0; i < EXT_MAX; i++) {
		__u8 *x;

		if (proto != IPP_HOPOPTS && proto != IPP_ROUTING && proto != IPP_DSTOPTS && proto != IPP_AH && proto != IPP_FRAG)
			break;
		x = AT(f, off & 0xff, __u8);
		if (!x || (void *)(x + 8) > f->end)
			return DROP_SHORT;
		if (proto == IPP_FRAG) {
			__u32 at = x[2] << 8 | x[3];

			if (at & 0xfff8)
				return over_headers(at, x[0]) ? DROP_FRAGMENT : DROP_NONE;
			frag = 1;
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
	n = AT(f, off & 0xff, struct nd);
	if (frag && proto == IPP_ICMP6) { /* RFC 6980 */
		__u8 *type = AT(f, off & 0xff, __u8);

		return !type || (*type >= ND_RS && *type <= ND_REDIRECT) ? DROP_FRAGMENT : DROP_NONE;
	}
	if (proto != IPP_ICMP6 || !n || n->type != ND_NA)
		return DROP_NONE;
	__builtin_memcpy(ip, n->target, 16);
	return is_ours(f->sw, 6, ip) ? DROP_OURS : DROP_NONE;
}

/* Nobody out there has the MAC or address of one of ours: it is a lie, or a loop. 0, or why it is dropped. */
INLINE int check_outside(const struct frame *f)
{
	struct eth *e = f->data;
	struct ip4 *h4;
	struct ip6 *h6;
	struct arp *a;
	__u8 ip[16];

	if ((void *)(e + 1) > f->end)
		return DROP_SHORT;
	if (is_tag(e->proto))
		return DROP_VLAN;
	if ((e->src[0] & 1) || is_here(f->sw, e->src))
		return DROP_OURS;
	switch (bpf_ntohs(e->proto)) {
	case P_IP4:
		h4 = AT(f, 14, struct ip4);
		if (!h4)
			return DROP_SHORT;
		if ((h4->frag & bpf_htons(0x1fff)) == bpf_htons(1) && h4->proto == IPP_TCP)
			return DROP_FRAGMENT;
		__builtin_memcpy(ip, &h4->src, 4);
		return is_ours(f->sw, 4, ip) ? DROP_OURS : DROP_NONE;
	case P_IP6:
		h6 = AT(f, 14, struct ip6);
		if (!h6)
			return DROP_SHORT;
		__builtin_memcpy(ip, h6->src, 16);
		if (is_ours(f->sw, 6, ip))
			return DROP_OURS;
		return check_advertised(f, h6);
	case P_ARP:
		a = AT(f, 14, struct arp);
		if (!a)
			return DROP_SHORT;
		__builtin_memcpy(ip, &a->spa, 4);
		return is_ours(f->sw, 4, ip) ? DROP_OURS : DROP_NONE;
	default:
		return DROP_NONE;
	}
}

/* Somebody out there asks for one of ours: that one is told, and not a thousand others. NULL: nobody that is known. */
INLINE struct sw_dest *asked_for(const struct frame *f)
{
	struct sw_ip_key k = {.sw = f->sw, .family = 4};
	struct sw_mac_key m = {.sw = f->sw};
	struct arp *a = AT(f, 14, struct arp);
	struct eth *e = f->data;
	struct sw_neigh *n;

	if (!a || (void *)(e + 1) > f->end || !(e->dst[0] & 1) || e->proto != bpf_htons(P_ARP) || a->op != bpf_htons(1))
		return 0;
	__builtin_memcpy(k.ip, &a->tpa, 4);
	n = bpf_map_lookup_elem(&neighbours, &k);
	if (!n)
		return 0;
	__builtin_memcpy(m.mac, n->mac, 6);
	return bpf_map_lookup_elem(&fdb, &m);
}

/* The VLAN that a frame of an uplink is on, its tag taken off: 0…4094, or -1. */
INLINE int untag(struct __sk_buff *skb)
{
	int vlan = skb->vlan_tci & 4095;

	if (!skb->vlan_present)
		return 0;
	if (skb->vlan_proto != bpf_htons(P_8021Q) || vlan == 4095 || bpf_skb_vlan_pop(skb) < 0)
		return -1;
	return skb->vlan_present ? -1 : vlan; /* there was another one behind it, which is now where this was */
}

/* Which fabric a frame of the tunnel is of, by its VXLAN id and who sent it. 0: of nobody that is known. */
INLINE __u32 untunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key k = {};
	struct sw_peer_key p = {.family = 4};
	__u32 *sw;

	if (bpf_skb_get_tunnel_key(skb, &k, sizeof k, 0) == 0) {
		p.ip[0] = k.remote_ipv4;
	} else if (bpf_skb_get_tunnel_key(skb, &k, sizeof k, BPF_F_TUNINFO_IPV6) == 0) {
		p.family = 6;
		__builtin_memcpy(p.ip, k.remote_ipv6, 16);
	} else {
		return 0;
	}
	p.vni = k.tunnel_id;
	sw = bpf_map_lookup_elem(&peers, &p);
	return sw ? *sw : 0;
}

#endif
