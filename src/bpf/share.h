/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How zones share the room that there is for flows. Each has SW_SHARE slots whatever others do; what all have beyond that is at most SW_SHARED.
 * When it is gone, who is refused takes from the end of the zone that has most: flows that have ended, are closed, or were never answered. One
 * that was answered nobody takes.
 */
#ifndef CLOISTER_BPF_SHARE_H
#define CLOISTER_BPF_SHARE_H

#include "log.h"

#define TAKE      1024 /* slots at once: some 0.2 ms */
#define ASK_EVERY 16   /* ms, about: who was refused has all zones gone through for him */

/* Whether a zone that has its share may have n more, which then are its. zero: the caller's, who has no room on the stack for another one. */
INLINE int share_more(const __u32 *zero, __u32 n)
{
	__u64 *all = bpf_map_lookup_elem(&flow_shared, zero);

	if (!all || *(volatile __u64 *)all + n > SW_SHARED)
		return 0;
	__sync_fetch_and_add(all, n);
	return 1;
}

struct share_look {
	__u64 slots; /* of all, beyond their shares */
	__u32 owner, window; /* of the largest */
};

static long share_each(void *map, __u32 *owner, struct sw_use *u, struct share_look *l)
{
	(void)map;
	l->slots += u->window > SW_SHARE ? u->window - SW_SHARE : 0;
	if (u->window > l->window) {
		l->window = u->window;
		l->owner = *owner;
	}
	return 0;
}

struct share_take {
	struct sw_slot_key at;
	__u32 now, n;
};

/* The last slot of a zone goes, if what is in it is nothing to lose. */
static long take_last(__u32 i, struct share_take *t)
{
	struct sw_use *u = bpf_map_lookup_elem(&flow_use, &t->at.zone);
	__u32 window = u ? u->window : 0;
	struct sw_flow_key *k;
	struct sw_flow *c;

	(void)i;
	if (window <= SW_SHARE)
		return 1;
	t->at.slot = window - 1;
	k = bpf_map_lookup_elem(&flow_slots, &t->at);
	c = k ? bpf_map_lookup_elem(&flows, k) : 0;
	if (c && c->owner == t->at.zone && c->slot == t->at.slot) {
		if (c->until >= t->now && c->state && !(c->fin & 12) && (c->fin & 3) != 3)
			return 1;
		bpf_map_delete_elem(&flows, k);
	}
	if (k)
		bpf_map_delete_elem(&flow_slots, &t->at);
	if (__sync_val_compare_and_swap(&u->window, window, window - 1) != window)
		return 1;
	t->n++;
	return 0;
}

/* For one who was refused. The sum is taken anew: what went with zones that are no more is in it then. */
SUBPROG int share_room(__u32 owner)
{
	struct sw_use *u = bpf_map_lookup_elem(&flow_use, &owner);
	__u64 ns = bpf_ktime_get_coarse_ns(), *all;
	struct share_take t = {.now = ns >> 30};
	struct share_look l = {};
	__u32 ms = ns >> 20, zero = 0;

	if (!u || u->window >= u->limit || ms - u->refused < ASK_EVERY)
		return 0;
	u->refused = ms;
	bpf_for_each_map_elem(&flow_use, share_each, &l, 0);
	if (l.slots + u->window > SW_SHARED && l.window / 2 >= u->window) {
		t.at.zone = l.owner;
		bpf_loop(TAKE, take_last, &t, 0);
	}
	all = bpf_map_lookup_elem(&flow_shared, &zero);
	if (all)
		*all = l.slots - t.n;
	return 0;
}

#endif
