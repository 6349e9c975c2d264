/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Headers as they are on the wire, for the programs of this folder; the kernel's own come with too much. */
#ifndef CLOISTER_BPF_NET_H
#define CLOISTER_BPF_NET_H

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define P_IP4   0x0800
#define P_ARP   0x0806
#define P_IP6   0x86dd
#define P_8021Q 0x8100
#define P_8021AD 0x88a8
#define P_QINQ  0x9100 /* what switches took for a tag before 802.1ad */
#define P_QINQ2 0x9200

#define IPP_HOPOPTS 0
#define IPP_ICMP    1
#define IPP_TCP     6
#define IPP_UDP     17
#define IPP_ROUTING 43
#define IPP_FRAG    44
#define IPP_AH      51
#define IPP_ICMP6   58
#define IPP_DSTOPTS 60
#define IPP_VRRP    112

#define ND_RA        134
#define ND_NS        135
#define ND_NA        136
#define ND_RS        133
#define ND_REDIRECT  137

struct eth {
	__u8 dst[6], src[6];
	__be16 proto;
} __attribute__((packed));

struct arp {
	__be16 htype, ptype;
	__u8 hlen, plen;
	__be16 op;
	__u8 sha[6];
	__be32 spa;
	__u8 tha[6];
	__be32 tpa;
} __attribute__((packed));

struct ip4 {
	__u8 vihl, tos;
	__be16 len, id, frag;
	__u8 ttl, proto;
	__be16 sum;
	__be32 src, dst;
} __attribute__((packed));

struct ip6 {
	__be32 vtf;
	__be16 len;
	__u8 next, hops;
	__u8 src[16], dst[16];
} __attribute__((packed));

struct nd {
	__u8 type, code;
	__be16 sum;
	__be32 flags;
	__u8 target[16];
} __attribute__((packed));

struct l4ports {
	__be16 src, dst;
} __attribute__((packed));

#define INLINE static __attribute__((always_inline)) inline
/* Not static: the kernel looks such a function through once, and not again wherever it is called. Its pointers may be NULL to it. */
#define SUBPROG __attribute__((noinline))

INLINE int mac_eq(const __u8 *a, const __u8 *b)
{
	return *(const __u32 *)a == *(const __u32 *)b && *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

INLINE int ip6_eq(const __u8 *a, const __u8 *b)
{
	const __u32 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3];
}

INLINE int is_tag(__be16 proto)
{
	return proto == bpf_htons(P_8021Q) || proto == bpf_htons(P_8021AD) || proto == bpf_htons(P_QINQ) || proto == bpf_htons(P_QINQ2);
}

INLINE int ip6_none(const __u8 *a)
{
	const __u32 *x = (const void *)a;

	return !(x[0] | x[1] | x[2] | x[3]);
}

INLINE int ip6_local(const __u8 *a)
{
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

/* The lower half is what this MAC forms (RFC 4291, appendix A). */
INLINE int ip6_eui64(const __u8 *a, const __u8 *mac)
{
	return a[8] == (mac[0] ^ 2) && a[9] == mac[1] && a[10] == mac[2] && a[11] == 0xff && a[12] == 0xfe && a[13] == mac[3] &&
	       a[14] == mac[4] && a[15] == mac[5];
}

#endif
