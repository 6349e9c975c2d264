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

/* Of virtual routers (vrrp.h): the interface index of the port that has it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_VRRP);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_mac_key);
	__type(value, __u32);
} vrrp_macs SEC(".maps");

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
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_CIDS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_cid_key);
	__type(value, __u32);
} cids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_count);
} counters SEC(".maps");

/* What ports with a place have sent and received (their drops are in counters). traffic_ports is user space's alone: whose place it is. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SW_TRAFFIC);
	__type(key, __u32);
	__type(value, struct sw_traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_TRAFFIC);
	__type(key, __u32);
	__type(value, __u32);
} traffic_ports SEC(".maps");

/* By port: when it will have paid for the broadcasts that were copied for it (storm.h). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} storm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_lease);
} leases SEC(".maps");

/* What lies outside (uplink.h). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_wire);
} tag_wires SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_flood_key);
	__type(value, struct sw_end);
} ends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_ADDRS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_mac_key);
	__type(value, struct sw_end);
} remotes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_peer_key);
	__type(value, __u32);
} peers SEC(".maps");

/*
 * Nobody's: what lies in inner maps and rings, whose types the kernel does not keep. By this one they are compared before another program is put over them
 * (netload/layout.c).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sw_inner);
} inner_layout SEC(".maps");

/*
 * The firewall. A list is an array of its own, so that a change of a zone's rules is one write. That is one of fw_zones, and not of the map of
 * lists, where user space waits for all programs that run (a grace period, 10 ms and more): lists are made ready there ahead.
 */
struct fw_list {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct sw_rule)); /* by size: of an inner map's types clang tells but the names */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__array(values, struct fw_list);
} fw_lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} fw_zones SEC(".maps");

/* User space alone: lists that are ready. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SW_SPARE_LIST + SW_SPARES);
	__type(key, __u32);
	__type(value, __u32);
} fw_spare SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_ADDRS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_set_key);
	__type(value, __u32);
} fw_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_flow_key);
	__type(value, struct sw_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_use);
} flow_use SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_FLOWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sw_slot_key);
	__type(value, struct sw_flow_key);
} flow_slots SEC(".maps");

/* What all zones have of slots beyond their shares (share.h). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} flow_shared SEC(".maps");

/* The log (log.h): rings by zone. */
struct log_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SW_LOG_RING);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__array(values, struct log_ring);
} log_rings SEC(".maps");

/* Who has been silent for longest makes room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SW_LOG_SENDERS);
	__type(key, struct sw_log_key);
	__type(value, struct sw_log_use);
} log_buckets SEC(".maps");

/* Bandwidth (shape.h): by port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_shape);
} shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sw_shape_flows);
} shape_flows SEC(".maps");

/* User space alone: which port has which classes, and whether a change is under way (net/shape.c). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SW_PORTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} shape_slots SEC(".maps");

#endif
