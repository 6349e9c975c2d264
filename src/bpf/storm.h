/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A broadcast costs the host a copy for each port that it goes to, and its sender nothing: so each port has a bucket of copies. It is kept as
 * the one time at which all that was copied for it will be paid for; more than a second ahead of now, and the frame is dropped. One that costs
 * more than a second's worth (a large segment to many ports) goes when nothing is owed, and is paid for afterwards.
 */
#ifndef CLOISTER_BPF_STORM_H
#define CLOISTER_BPF_STORM_H

#include "maps.h"

#define SECOND 1000000000ULL

/* 0, or DROP_STORM. rate: copies a second. */
INLINE int storm_check(__u32 ifindex, __u32 copies, __u32 rate)
{
	__u64 now = bpf_ktime_get_ns(), cost = copies * (SECOND / rate), none = 0, *paid, was, next;

	paid = bpf_map_lookup_elem(&storm, &ifindex);
	if (!paid) {
		bpf_map_update_elem(&storm, &ifindex, &none, BPF_NOEXIST);
		paid = bpf_map_lookup_elem(&storm, &ifindex);
		if (!paid)
			return DROP_STORM;
	}
	for (int i = 0; i < 4; i++) {
		was = *(volatile __u64 *)paid;
		next = (was > now ? was : now) + cost;
		if (next > now + SECOND && was > now)
			return DROP_STORM;
		if (__sync_val_compare_and_swap(paid, was, next) == was)
			return 0;
	}
	return DROP_STORM; /* its other processors had it four times */
}

#endif
