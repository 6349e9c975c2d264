/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Drops, and what a rule with `log` decided, as records for a zone's worker, which makes events of them (zoneadmd/part_drops.c). Nothing here
 * is reached but by a frame that is dropped at a port with PORT_LOG, or by a rule that says so: where nobody logs, nobody pays.
 *
 * Each zone has a ring of its own, and in it each port that frames come from has a bucket of its own: a flood fills neither another zone's
 * log, nor hides from this one what others do. Buckets get smaller as the ring fills, and its second half has one record for each sender: a hundred of
 * them are told of until it is read, however much each sends. What is left out is counted, and told with the next record.
 */
#ifndef CLOISTER_BPF_LOG_H
#define CLOISTER_BPF_LOG_H

#include "packet.h"

#define LOG_EVERY (1000000000ull / SW_LOG_RATE)
#define LOG_AHEAD (SW_LOG_BURST * LOG_EVERY)

#define LOGGED 0x100 /* with a DROP_*: there is a record of it */

/* How far ahead of what is paid for a sender may be, who has been silent since was. Negative: it may log nothing now. */
INLINE __s64 log_ahead(__u64 used, __u64 was, __u64 now)
{
	__u64 half = SW_LOG_RING / 2, n;

	if (used >= half)
		return was + LOG_AHEAD > now ? -1 : (__s64)LOG_EVERY;
	n = 1 + 2 * SW_LOG_BURST * (half - used) / half;
	return (__s64)((n < SW_LOG_BURST ? n : SW_LOG_BURST) * LOG_EVERY);
}

/* 0: not now; else how many records of this sender were left out since the last one, and 1. */
SUBPROG __u32 log_may(__u32 zone, __u32 from)
{
	struct sw_log_key k = {.zone = zone, .from = from & SW_LOG_FROM};
	void *ring = bpf_map_lookup_elem(&log_rings, &k.zone);
	struct sw_log_use fresh = {}, *u;
	__u64 now, was, next;
	__s64 ahead;

	if (!ring)
		return 0;
	u = bpf_map_lookup_elem(&log_buckets, &k);
	if (!u) {
		bpf_map_update_elem(&log_buckets, &k, &fresh, BPF_NOEXIST);
		u = bpf_map_lookup_elem(&log_buckets, &k);
		if (!u)
			return 0;
	}
	now = bpf_ktime_get_coarse_ns();
	was = *(volatile __u64 *)&u->paid;
	next = (was > now ? was : now) + LOG_EVERY;
	ahead = log_ahead(bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA), was, now);
	if (ahead < 0 || next > now + ahead || __sync_val_compare_and_swap(&u->paid, was, next) != was) {
		__sync_fetch_and_add(&u->missed, 1);
		return 0;
	}
	was = u->missed;
	u->missed = 0; /* one that is just being counted may be lost: it is a number for people */
	return was < 0xffffffff ? was + 1 : 0xffffffff;
}

/* The beginning of the frame, as it is: who reads it takes it for what it is, an enemy's. at: the port where it is counted. */
SUBPROG int log_frame(struct __sk_buff *skb, __u32 zone, __u32 from, __u32 at, __u32 why)
{
	void *ring = bpf_map_lookup_elem(&log_rings, &zone);
	__u32 may = ring ? log_may(zone, from) : 0, len = skb->len;
	struct sw_log *l;

	if (!may)
		return 0;
	l = bpf_ringbuf_reserve(ring, sizeof *l, 0);
	if (!l)
		return 0;
	__builtin_memset(l, 0, sizeof *l);
	l->missed = may - 1;
	l->from = from & SW_LOG_FROM;
	l->at = at;
	l->len = len;
	l->reason = why;
	/* a length that the verifier knows */
	if (len >= SW_LOG_HEAD)
		l->nhead = bpf_skb_load_bytes(skb, 0, l->head, SW_LOG_HEAD) < 0 ? 0 : SW_LOG_HEAD;
	else if (len >= 54)
		l->nhead = bpf_skb_load_bytes(skb, 0, l->head, 54) < 0 ? 0 : 54;
	else if (len >= 42)
		l->nhead = bpf_skb_load_bytes(skb, 0, l->head, 42) < 0 ? 0 : 42;
	else if (len >= 14)
		l->nhead = bpf_skb_load_bytes(skb, 0, l->head, 14) < 0 ? 0 : 14;
	bpf_ringbuf_submit(l, 0);
	return 0;
}

/* A verdict in one word: there may be five arguments. Reasons have six bits. */
#define VERDICT(from, out, why) ((__u32)(from) << 8 | (__u32)(out) << 7 | (why))
_Static_assert(DROP_ROOM <= 64, "six bits");

/* What a rule (NULL: none) decided about a packet that was read already. may: of log_may(). */
SUBPROG int log_packet(const struct packet *p, const struct sw_rule *r, __u32 zone, __u32 may, __u32 verdict)
{
	void *ring = bpf_map_lookup_elem(&log_rings, &zone);
	struct sw_log *l;

	if (!p || !ring)
		return 0;
	l = bpf_ringbuf_reserve(ring, sizeof *l, 0);
	if (!l)
		return 0;
	__builtin_memset(l, 0, sizeof *l);
	l->missed = may - 1;
	l->len = p->end;
	l->from = verdict >> 8;
	l->out = verdict >> 7 & 1;
	l->reason = verdict & 63;
	l->family = p->family;
	l->proto = p->proto;
	l->sport = p->sport;
	l->dport = p->dport;
	l->type = p->type;
	l->code = p->code;
	__builtin_memcpy(l->src, p->src, 16);
	__builtin_memcpy(l->dst, p->dst, 16);
	if (r)
		__builtin_memcpy(l->rule, r->rule, 16);
	bpf_ringbuf_submit(l, 0);
	return 0;
}

#endif
