/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps of the switch. User space pins them; all programs of one switch share them. */
#ifndef CLOISTER_BPF_MAPS_H
#define CLOISTER_BPF_MAPS_H

#include "net.h"
#include "switch.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_mac_key);
	__type(value, struct sw_dest);
} fdb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_ADDRS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_ip_key);
	__type(value, struct sw_neigh);
} neighbours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, SW_ADDRS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_addr_key);
	__type(value, __u32);
} addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS * 2);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_flood_key);
	__type(value, __u32);
} flood SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_port_key);
	__type(value, __u32);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_count);
} counters SEC(".maps");

#endif
