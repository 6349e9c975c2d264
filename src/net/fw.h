/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The firewall of VMs, in the switch: what rules have become once names are addresses, and how it gets into the maps. One list
 * per VM, for all its NICs, which takes effect in one write; sets of addresses that lists name, whose elements change
 * without them; and the state of flows, which none of these changes touches.
 *
 * A zone is known by its id (vnic.number >> 5). A port with PORT_FIREWALL in its flags and no list lets nothing in or out but what
 * the link needs: vnic_add() with the flag, net_fw_load(), vnic_start().
 */
#ifndef CLOISTER_NET_FW_H
#define CLOISTER_NET_FW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/switch.h"

enum { FW_PEERS_MAX = 24, FW_PORTS_MAX = 8, FW_CODE_ANY = 0xffff };
enum fw_dir { FW_IN, FW_OUT };
enum fw_action { FW_ALLOW, FW_BLOCK };
enum fw_peer_kind {
	FW_PEER_ANY, /* each address of either family; then it is the only peer */
	FW_PEER_NET, /* a, prefix */
	FW_PEER_SET, /* set */
};

struct fw_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t ip[16]; /* of IPv4 the first four; network order */
	uint8_t part;   /* in a set: 0 = this address; 1 + n = all that have its first n bits, behind which it has zeros */
};

struct fw_peer { /* the other end: source of what comes in, destination of what goes out */
	uint8_t kind;
	uint8_t prefix;
	struct fw_addr a;
	uint32_t set;   /* a number never used again on this node */
};

struct fw_range { /* TCP, UDP: destination ports lo…hi. ICMP: type lo, code hi */
	uint16_t lo, hi;
};

struct fw_entry {
	uint8_t rule[16]; /* whose it is, for statistics */
	uint8_t dir, action;
	uint8_t proto;    /* IP's number. ICMP is of IPv4 alone, ICMPv6 of IPv6. 0: any */
	uint8_t npeers;   /* any of these… */
	uint8_t nports;   /* …and any of these, 0: all */
	bool log;         /* what it decides goes into the zone's log (net/log.h) */
	struct fw_peer peer[FW_PEERS_MAX];
	struct fw_range port[FW_PORTS_MAX];
};

/* In the order in which they are tried, the first that matches decides. None: inbound is blocked, outbound allowed. */
struct fw_list {
	uint32_t zone;
	const struct fw_entry *entry;
	size_t n;
};

/*
 * The lists of n zones, each in place of the one before, each in one write; then the ports that the zones have ask them. Flows that
 * were let begin go on. Statistics of rules that stay are kept. Of a few the lists are ready (net_fw_warm()); else it waits once for the kernel
 * (a grace period, some 10 ms), however many.
 */
int net_fw_load(struct net_switch *s, const struct fw_list *list, size_t n, struct err *e);
/* The same of a zone that boots: its ports have been closed by PORT_FIREWALL since they were made, and are not looked for. */
int net_fw_first(struct net_switch *s, const struct fw_list *list, struct err *e);
/* Whether it is time for net_fw_warm(): the lists that are ready are becoming few, or many have been left. Who is told so is the one to do it. */
bool net_fw_low(struct net_switch *s);
/* Makes lists ready, of those that zones have left and new ones, and takes away what is too much. Takes 10 ms and more, nearly all of it without the lock. */
int net_fw_warm(const struct ctx *c, struct err *e);
/* Whether one of its rules logs. */
bool net_fw_logs(const struct fw_list *l);
/* Off: its ports let everything pass again. 0, also if it was. */
int net_fw_stop(struct net_switch *s, uint32_t zone, struct err *e);
/* The zone has gone: list, statistics, flows, its log. 0, also if there is nothing. */
int net_fw_drop(struct net_switch *s, uint32_t zone, struct err *e);
/* 1: it has a list; 0: none. */
int net_fw_status(struct net_switch *s, uint32_t zone, struct err *e);
/* How often each rule has decided: first packets of flows, and what it blocked. Rule 0: what none decided. */
int net_fw_stats(struct net_switch *s, uint32_t zone,
		 int (*each)(const uint8_t rule[16], enum fw_dir dir, enum fw_action action, uint64_t packets, uint64_t bytes, void *arg),
		 void *arg, struct err *e);
/* Entries of flows that are charged to a zone, and how many it may have: what it began and what came from outside the host, together. */
int net_fw_flows(struct net_switch *s, uint32_t zone, uint32_t *used, uint32_t *limit, struct err *e);

/* One element of a set, there before or not: some microseconds. */
int net_fw_set_add(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e);
int net_fw_set_remove(struct net_switch *s, uint32_t set, const struct fw_addr *a, struct err *e);
struct fw_member {
	uint32_t set;
	struct fw_addr a;
};
/* All these, there before or not, in one call. */
int net_fw_members(struct net_switch *s, const struct fw_member *m, size_t n, struct err *e);
/*
 * These sets have exactly these members: none is how a set goes. set NULL: every set that there is. What stays is not touched. Walks the members of
 * all sets once: not for one that changes.
 */
int net_fw_sets(struct net_switch *s, const uint32_t *set, size_t nsets, const struct fw_member *m, size_t n, struct err *e);

#endif
