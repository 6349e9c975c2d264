/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DHCP client ids (allowed_dhcp_cids): which one does a question name? DHCPv4's is option 61 (RFC 2132, 9.14), DHCPv6's the DUID of option 1
 * (RFC 8415, 21.2). What can't be followed to its end is not allowed, nor what a receiver could read in two ways. One that names no id is its link
 * address's, which has been checked. Options lie far behind what is pulled, so they are read by a helper.
 */
#ifndef CLOISTER_BPF_DHCPID_H
#define CLOISTER_BPF_DHCPID_H

#include "maps.h"

#define DHCP_OPTIONS 48 /* that are looked through, with the zeros between them; clients send a dozen */

/* Where its id lies: 0 = it names none, -1 = not to be told. pos and end: of the options. */
SUBPROG int dhcp4_id(struct __sk_buff *skb, __u32 pos, __u32 end)
{
	__u32 at = 0;
	__u8 o[2];

	for (int i = 0; i < DHCP_OPTIONS; i++) {
		if (pos >= end || bpf_skb_load_bytes(skb, pos, o, 1) < 0)
			return -1; /* no end */
		if (o[0] == 255)
			return at;
		pos++;
		if (o[0] == 0)
			continue;
		if (pos >= end || bpf_skb_load_bytes(skb, pos, o + 1, 1) < 0)
			return -1;
		if (o[0] == 52) /* more options in other fields */
			return -1;
		if (o[0] == 61) {
			if (at) /* RFC 3396: the two are one */
				return -1;
			at = pos;
		}
		pos += 1 + o[1];
	}
	return -1;
}

SUBPROG int dhcp6_id(struct __sk_buff *skb, __u32 pos, __u32 end)
{
	__u32 at = 0;
	__be16 o[2];

	for (int i = 0; i < DHCP_OPTIONS; i++) {
		if (pos == end)
			return at;
		if (pos > end || bpf_skb_load_bytes(skb, pos, o, 4) < 0)
			return -1;
		if (o[0] == bpf_htons(1)) {
			if (at)
				return -1;
			at = pos;
		}
		pos += 4 + bpf_ntohs(o[1]);
	}
	return -1;
}

/* The next piece, of n bytes at pos, of an id of len bytes: what the one behind it begins from; 0 = it is not allowed. */
SUBPROG int dhcp_id_piece(struct __sk_buff *skb, __u32 list, __u32 len, __u32 from, __u32 pos)
{
	struct sw_cid_key k = {.list = list, .len = len, .from = from};
	__u64 n = (__u64)(pos >> 16) - 1; /* five arguments are all that there may be: the upper half of this one */
	__u32 *next;

	/* so that what is compared is what is used as the length; from 0 on, for before Linux 6.3 "not 0" is nothing that the kernel remembers */
	asm volatile("" : "+r"(n));
	if (n >= SW_CID_PART || bpf_skb_load_bytes(skb, pos & 0xffff, k.part, n + 1) < 0)
		return 0;
	next = bpf_map_lookup_elem(&cids, &k);
	return next ? *next : 0;
}

INLINE int dhcp_id_listed(struct __sk_buff *skb, __u32 list, __u32 pos, __u32 len)
{
	__u32 from = 0, left = len;

	if (len < 1 || len > SW_CID || pos + len > 0xffff)
		return 0;
	for (int i = 0; i < (SW_CID + SW_CID_PART - 1) / SW_CID_PART; i++) {
		__u32 n = left < SW_CID_PART ? left : SW_CID_PART;

		from = dhcp_id_piece(skb, list, len, from, n << 16 | pos);
		if (!from)
			return 0;
		pos += n;
		left -= n;
		if (!left)
			return 1;
	}
	return 0;
}

/* Questions of clients: a relay's, and what is no question, could hold another's id anywhere. */
INLINE int dhcp6_asks(__u8 type)
{
	return (type >= 3 && type <= 6) || type == 1 || type == 8 || type == 9 || type == 11;
}

/* Of a whole packet, without headers between IP's and UDP's: what only its receiver sees in one piece could hold any id. */
INLINE int dhcp_whole(struct __sk_buff *skb, __u32 udp, int *v6)
{
	__be16 frag;
	__u8 b;

	if (skb->gso_segs || skb->gso_size || bpf_skb_load_bytes(skb, 14, &b, 1) < 0)
		return 0;
	*v6 = b >> 4 == 6;
	if (*v6)
		return udp == 14 + sizeof(struct ip6);
	return bpf_skb_load_bytes(skb, 20, &frag, 2) == 0 && !(frag & bpf_htons(0x3fff));
}

/* udp: where its header is; end: of the packet. Looks its port up by itself, for its caller has no stack to spare. */
SUBPROG int dhcp_id_allowed(struct __sk_buff *skb, __u32 udp, __u32 end)
{
	__u32 ifindex = skb->ifindex;
	struct sw_port *p = bpf_map_lookup_elem(&ports, &ifindex);
	__be16 len;
	__u8 b[4];
	int at, v6;

	/* whoever receives it reads to the end that UDP says */
	if (!p || !dhcp_whole(skb, udp, &v6) || bpf_skb_load_bytes(skb, udp + 4, &len, 2) < 0 || udp + bpf_ntohs(len) != end)
		return 0;
	if (v6) {
		if (bpf_skb_load_bytes(skb, udp + 8, b, 1) < 0 || !dhcp6_asks(b[0]))
			return 0;
		at = dhcp6_id(skb, udp + 12, end);
		if (at <= 0)
			return at == 0;
		if (bpf_skb_load_bytes(skb, at + 2, &len, 2) < 0 || (__u32)at + 4 + bpf_ntohs(len) > end)
			return 0;
		return dhcp_id_listed(skb, p->lists, at + 4, bpf_ntohs(len));
	}
	if (bpf_skb_load_bytes(skb, udp + 8 + 236, b, 4) < 0 || b[0] != 99 || b[1] != 130 || b[2] != 83 || b[3] != 99)
		return 0;
	at = dhcp4_id(skb, udp + 8 + 240, end);
	if (at <= 0)
		return at == 0;
	if (bpf_skb_load_bytes(skb, at, b, 1) < 0 || (__u32)at + 1 + b[0] > end)
		return 0;
	return dhcp_id_listed(skb, p->lists, at + 1, b[0]);
}

#endif
