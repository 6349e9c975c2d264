/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The MAC of a virtual router (RFC 9568, 7.3) may be sent from by several ports, and one of them has it: who was the last to send from it. A port is
 * asked again at each frame whether its record still says so, so what is noted here can be old and do no harm. Outside there may be one too.
 */
#ifndef CLOISTER_BPF_VRRP_H
#define CLOISTER_BPF_VRRP_H

#include "protect.h"

/* A frame from there has passed: whose it is now. ifindex 0: somebody's outside. */
SUBPROG int vrrp_moves(struct __sk_buff *skb, __u32 sw, __u32 ifindex)
{
	const struct eth *e = (void *)(long)skb->data;
	struct sw_mac_key k = {.sw = sw};
	__u32 *has;

	if ((void *)(e + 1) > (void *)(long)skb->data_end)
		return 0;
	__builtin_memcpy(k.mac, e->src, 6);
	has = bpf_map_lookup_elem(&vrrp_macs, &k);
	if (has && ifindex)
		*has = ifindex;
	else if (has)
		bpf_map_delete_elem(&vrrp_macs, &k);
	else if (ifindex)
		bpf_map_update_elem(&vrrp_macs, &k, &ifindex, BPF_ANY);
	return 0;
}

/* 1: a port of this switch has the MAC, which is a virtual router's that it may be. */
SUBPROG int vrrp_port(__u32 sw, __u32 kind, __u32 vrid, struct sw_dest *d)
{
	struct sw_mac_key k = {.sw = sw, .mac = {0, 0, 0x5e, 0, kind, vrid}};
	struct sw_port *p;
	__u32 *has, ifindex;

	if (!d)
		return 0;
	has = bpf_map_lookup_elem(&vrrp_macs, &k);
	if (!has)
		return 0;
	ifindex = *has;
	p = bpf_map_lookup_elem(&ports, &ifindex);
	if (!p || p->sw != sw || p->vrrp != (vrid & 255))
		return 0;
	d->ifindex = ifindex;
	d->flags = p->flags;
	d->vnic = p->vnic;
	return 1;
}

#endif
