/* SPDX-License-Identifier: MPL-2.0 */
/* What ports send and receive is counted in an array, by place: a port's is in its flags (bpf/switch.h), and its as long as it is there and says so. */
#ifndef CLOISTER_NET_TRAFFIC_H
#define CLOISTER_NET_TRAFFIC_H

#include "bpf/switch.h"
#include "net/switch.h"

/* A new port's, empty, as the bits of its flags that name it; 0: none is free, and it is counted in its counters. Lock held. */
uint32_t traffic_place(struct net_switch *s, uint32_t ifindex);

/* Of all ports at once. */
struct traffic {
	uint32_t first, n;
	int cpus;
	struct sw_traffic *t; /* cpus of each place */
};

/* Places first to last, by one call to the kernel; last 0: none. Freed by the caller: traffic_done(). */
int traffic_read(int map, uint32_t first, uint32_t last, struct traffic *out, struct err *e);
void traffic_done(struct traffic *t);
/* Adds what a port with these flags has there. */
void traffic_add(const struct traffic *t, uint32_t flags, struct sw_count *sum);

#endif
