/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flows that the firewalls remember: one entry for both directions and both ends. Each is charged to the zone that began it, which
 * has so many slots and no more; what has ended is found when a slot is wanted, so that nothing has to run for it.
 */
#ifndef CLOISTER_BPF_FLOW_H
#define CLOISTER_BPF_FLOW_H

#include "share.h"

enum { FLOW_ASKED, FLOW_ANSWERED, FLOW_OPEN }; /* sw_flow.state; OPEN is of TCP alone */

/* Units of 2^30 ns, a good second. */
#define KEEP_ASKED    30
#define KEEP_ANSWERED 120
#define KEEP_OTHER    600   /* neither TCP nor UDP nor ICMP, answered */
#define KEEP_HALF     60    /* TCP between SYN and ACK */
#define KEEP_OPEN     86400
#define KEEP_FIN      600   /* one end is done */
#define KEEP_CLOSED   60
#define KEEP_RESET    10
#define KEEP_FRAGMENT 30
#define LINGER        2     /* a slot is not taken from a flow that has just been closed, while a zone has few */

#define SLOT_TRIES 16
#define WINDOW     64       /* slots of a zone to begin with */
#define FEW        1024     /* more than these for closed flows would be out of the processor's caches at each connection */

#define FLOW_FIN(end) (1 << (end))
#define FLOW_RST(end) (4 << (end))

INLINE __u32 flow_now(void)
{
	return bpf_ktime_get_coarse_ns() >> 30;
}

INLINE int flow_closed(const struct sw_flow *c)
{
	return (c->fin & 3) == 3 || (c->fin & 12);
}

INLINE __u32 flow_keep(const struct sw_flow *c, __u8 proto)
{
	if (proto == IPP_TCP) {
		if (c->fin & 12)
			return KEEP_RESET;
		if (c->fin)
			return (c->fin & 3) == 3 ? KEEP_CLOSED : KEEP_FIN;
		return c->state == FLOW_OPEN ? KEEP_OPEN : c->state == FLOW_ANSWERED ? KEEP_HALF : KEEP_ASKED;
	}
	if (c->state == FLOW_ASKED || proto == IPP_ICMP || proto == IPP_ICMP6)
		return KEEP_ASKED;
	return proto == IPP_UDP ? KEEP_ANSWERED : KEEP_OTHER;
}

/* Returns which end of the key the packet's sender is. */
INLINE int flow_key(struct sw_flow_key *k, __u32 sw, const struct packet *p)
{
	int swap;

	k->sw = sw;
	k->family = p->family;
	k->proto = p->proto;
	k->kind = p->kind;
	if (p->kind) /* two that ask each other under one id are two flows: who asks is first */
		swap = p->what == PKT_REPLY;
	else if (p->src[0] != p->dst[0])
		swap = p->src[0] > p->dst[0];
	else if (p->src[1] != p->dst[1])
		swap = p->src[1] > p->dst[1];
	else if (p->src[2] != p->dst[2])
		swap = p->src[2] > p->dst[2];
	else if (p->src[3] != p->dst[3])
		swap = p->src[3] > p->dst[3];
	else
		swap = p->sport > p->dport;
	if (swap) {
		k->port[0] = p->dport;
		k->port[1] = p->sport;
		__builtin_memcpy(k->ip[0], p->dst, 16);
		__builtin_memcpy(k->ip[1], p->src, 16);
		return 1;
	}
	k->port[0] = p->sport;
	k->port[1] = p->dport;
	__builtin_memcpy(k->ip[0], p->src, 16);
	__builtin_memcpy(k->ip[1], p->dst, 16);
	return 0;
}

/* Fragments go one way: the sender is first, whatever its address. */
INLINE void fragment_key(struct sw_flow_key *k, __u32 sw, const struct packet *p)
{
	k->sw = sw;
	k->family = p->family;
	k->proto = p->proto;
	k->kind = FLOW_FRAGMENT;
	k->pad = 0;
	__builtin_memcpy(k->port, &p->id, 4);
	__builtin_memcpy(k->ip[0], p->src, 16);
	__builtin_memcpy(k->ip[1], p->dst, 16);
}

enum { STEP_ON, STEP_PASS, STEP_NEW, STEP_DROP }; /* pass: without a longer life for it */

/* What a TCP segment means for a flow that is there. Sequence numbers are the ends' own business. */
INLINE int tcp_step(struct sw_flow *c, __u8 t, int end)
{
	int began = end == c->from;
	__u8 fin = c->fin;

	if (t & TCP_RST) {
		fin |= FLOW_RST(end);
	} else if ((t & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (flow_closed(c))
			return STEP_NEW;
		/* who answers may not begin another one under the first one's name */
		return !began ? STEP_DROP : c->state == FLOW_ASKED ? STEP_ON : STEP_PASS;
	} else if (t & TCP_SYN) {
		if (began)
			return STEP_DROP;
		if (c->state == FLOW_ASKED)
			c->state = FLOW_ANSWERED;
	} else {
		if (c->state == FLOW_ASKED) /* "who are you?" of one that remembers an earlier flow (RFC 5961), or nonsense */
			return began ? STEP_DROP : STEP_PASS;
		if (c->state == FLOW_ANSWERED && began)
			c->state = FLOW_OPEN;
		/* who goes on talking did not believe the reset that it got */
		if ((fin & FLOW_RST(!end)) && c->state == FLOW_OPEN)
			fin &= 3;
		if (t & TCP_FIN)
			fin |= FLOW_FIN(end);
	}
	if (fin != c->fin)
		c->fin = fin;
	return STEP_ON;
}

INLINE int flow_step(struct sw_flow *c, const struct packet *p, int end)
{
	if (p->proto == IPP_TCP)
		return tcp_step(c, p->tcp, end);
	if (end != c->from && c->state == FLOW_ASKED)
		c->state = FLOW_ANSWERED;
	return STEP_ON;
}

struct flow_wish {
	struct sw_flow_key k;
	struct sw_flow c;
	__u32 now;
};

/* A slot whose flow is there no more, has ended, or is closed. */
INLINE int slot_free(const struct sw_slot_key *at, const struct sw_flow_key *k, __u32 now, int press)
{
	struct sw_flow *c = bpf_map_lookup_elem(&flows, k);
	__u32 linger;

	if (!c || c->owner != at->zone || c->slot != at->slot)
		return 1;
	linger = press ? 0 : c->fin & 12 ? KEEP_RESET - LINGER : KEEP_CLOSED - LINGER;
	if (c->until >= now && !(flow_closed(c) && (press || c->until < now + linger)))
		return 0;
	bpf_map_delete_elem(&flows, k);
	return 1;
}

/*
 * The slot is there for the taking: 1. The hand goes round, so that the oldest are looked at first. leap: anywhere, for the hand can stand
 * before thousands of flows that live on; where that finds a place, the hand goes on from there.
 */
INLINE int slot_take(struct sw_use *u, const struct flow_wish *w, struct sw_slot_key *at, int leap)
{
	__u32 window = u->window;
	struct sw_flow_key *k;

	at->slot = (leap ? bpf_get_prandom_u32() : __sync_fetch_and_add(&u->hand, 1)) % window;
	k = bpf_map_lookup_elem(&flow_slots, at);
	if (!k)
		return bpf_map_update_elem(&flow_slots, at, &w->k, BPF_NOEXIST) == 0;
	if (!slot_free(at, k, w->now, window >= u->limit || window >= FEW))
		return 0;
	*k = w->k;
	if (leap)
		u->hand = at->slot + 1;
	return 1;
}

/* 1: w has a slot. */
INLINE int slot_find(struct sw_use *u, struct flow_wish *w)
{
	struct sw_slot_key at = {.zone = w->c.owner};
	int leap = 0;

	for (int i = 0; i < 2 * SLOT_TRIES; i++) {
		if (i == SLOT_TRIES) { /* nothing has ended: more room, if there may be */
			__u32 window = u->window;

			__u32 more = window * 2 < u->limit ? window * 2 : u->limit;

			at.slot = 0;
			leap = window >= u->limit || (more > SW_SHARE && !share_more(&at.slot, more - (window > SW_SHARE ? window : SW_SHARE)));
			if (!leap) {
				u->hand = window;
				u->window = more;
			}
		}
		if (slot_take(u, w, &at, leap)) {
			w->c.slot = at.slot;
			return 1;
		}
	}
	return 0;
}

/* 0, or DROP_FW_FULL. until in w->c is how long it is kept. */
INLINE int flow_add(struct flow_wish *w)
{
	struct sw_use none = {.limit = SW_FLOWS_ZONE, .window = WINDOW}, *u;
	long r;

	if (!w)
		return DROP_FW_FULL;
	u = bpf_map_lookup_elem(&flow_use, &w->c.owner);
	if (!u) {
		bpf_map_update_elem(&flow_use, &w->c.owner, &none, BPF_NOEXIST);
		u = bpf_map_lookup_elem(&flow_use, &w->c.owner);
	}
	w->now = flow_now();
	w->c.until += w->now;
	if (!u || !slot_find(u, w))
		return DROP_FW_FULL;
	r = bpf_map_update_elem(&flows, &w->k, &w->c, BPF_NOEXIST);
	return r == 0 || r == -17 ? 0 : DROP_FW_FULL; /* -EEXIST: another processor has just done it */
}

#endif
