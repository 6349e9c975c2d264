/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the switch's program and user space share: keys and values of its maps. A port is the host's end of a VNIC, known by
 * its interface index in the switch namespace. Addresses and MACs are in network order, everything else in the host's.
 */
#ifndef CLOISTER_BPF_SWITCH_H
#define CLOISTER_BPF_SWITCH_H

#include <linux/types.h>

#define SW_PORTS   65536
#define SW_ADDRS   262144
#define SW_PORT_IP4 4 /* addresses that a port's own entry holds; more, and prefixes, are in the map addrs */
#define SW_PORT_IP6 2
#define SW_FLOWS   (1 << 20) /* that the firewalls of all zones together remember */
#define SW_FLOWS_ZONE 16384  /* of these at most for one zone, … */
#define SW_SHARE   256       /* … and so many for each, whatever others have (share.h) */
#define SW_SHARED  (SW_FLOWS / 2) /* what all have beyond that: the other half holds the shares of SW_FLOWS / 2 / SW_SHARE owners, and a zone is two */
#define SW_LISTS_ODD (1u << 31)
#define SW_TRAFFIC 4096 /* ports whose traffic has a place in an array */
#define SW_VRRP    16384 /* link addresses of virtual routers, of all switches */
#define SW_FLOOD   4096 /* ports of one switch that a broadcast reaches */
/* A zone's log of drops: its ring, in bytes; and of one port that frames come from so many records a second, and so many at once. */
#define SW_LOG_RING  32768
#define SW_LOG_RATE  10
#define SW_LOG_BURST 20
#define SW_LOG_SENDERS 16384 /* and zones that log them, that buckets are kept of */
#define SW_LOG_FROM  0xffffff /* of a sender's index what has room where it is handed on */
#define SW_LOG_HEAD  96 /* bytes of a frame that go into a record */
#define SW_CIDS    65536 /* pieces of DHCP client ids, of all ports together */
#define SW_CID     255   /* bytes of one at most; DHCPv4 has no longer one */
#define SW_CID_PART 64   /* bytes of a piece: a whole one is too much for the stack of the program that compares it */
#define SHAPE_FLOWS 16  /* of one VNIC (flowadm) */
#define SHAPE_MAJOR 1   /* of the wires' qdisc */
#define SHAPE_SMALL 256 /* a frame of at most so many bytes goes before larger ones of the same class */

/* What one port may have copied to others by broadcast and multicast: so many copies a second, and so many at once. */
#define SW_STORM_COPIES 20000
#define SW_STORM_BYTES  2048 /* of a frame for one copy */
#define SW_STORM_COPIES_OUTSIDE 100000 /* from an uplink or a tunnel, for all who send there; of one port to the ends of a fabric, for a MAC that nobody is known to have */

enum { /* port.flags */
	PORT_MAC_NOSPOOF = 1 << 0,
	PORT_IP_NOSPOOF = 1 << 1,
	PORT_DHCP_NOSPOOF = 1 << 2,
	PORT_RESTRICTED = 1 << 3,
	PORT_DHCP_CLIENT = 1 << 4,  /* may ask for a lease from 0.0.0.0 or its link-local address */
	PORT_ADDRCONF = 1 << 5,     /* may have any address that its MAC forms */
	PORT_MORE_ADDRS = 1 << 6,   /* addrs has some of its */
	PORT_L2 = 1 << 8,           /* no peer in another namespace: a tap, an uplink */
	PORT_BLOCKED_PORTS = 1 << 9,
	PORT_FIREWALL = 1 << 10,    /* asks its zone's list; without one it is closed */
	PORT_LOG = 1 << 13,         /* what is dropped there goes into its zone's log */
	PORT_DHCP_CIDS = 1 << 11,   /* of DHCP client ids it may send those in cids alone */
	PORT_LEASE = 1 << 14,       /* its questions for DHCP are answered there: leases has what by (lease.h) */
	PORT_OUTSIDE = 1 << 15,     /* an uplink or a tunnel: no VNIC */
	PORT_SHAPED = 1 << 12,      /* shapes has an entry: of a port, for what it sends; of a destination, for what it receives */
};

/* Why a frame was dropped. The names stand in net/drop.c in the same order. */
enum sw_drop {
	DROP_NONE,
	DROP_SHORT,      /* a header that is not all there, or contradicts itself */
	DROP_VLAN,       /* a tag that a guest may not send */
	DROP_MAC,
	DROP_RESTRICTED, /* neither IP nor ARP */
	DROP_IP4,
	DROP_ARP,
	DROP_IP6,
	DROP_ND,         /* neighbour discovery that lies about an address or a MAC */
	DROP_RA,         /* router advertisements and redirects */
	DROP_DHCP,       /* answers of a DHCP server, questions in another's name */
	DROP_FRAGMENT,   /* the first part of a packet without its ports, or one that writes over them */
	DROP_BLOCKED,    /* blocked_outgoing_ports */
	DROP_UNKNOWN,    /* nobody on this switch has that MAC */
	DROP_FW_OUT,     /* the sender's firewall */
	DROP_FW_IN,      /* the receiver's, counted there */
	DROP_FW_STATE,   /* no packet of a flow that is there, nor one that may begin one */
	DROP_FW_FULL,    /* the zone has as many flows as it may have */
	DROP_STORM,      /* more broadcasts than it may have copied */
	DROP_OURS,       /* from outside, with the MAC or address of somebody here */
	DROP_PEER,       /* by a tunnel, from nobody who is an end of that fabric */
	DROP_LONG,       /* longer than the port's MTU, or its pieces are */
	DROP_REASONS
};
#define DROP_ROOM 48 /* of the counters: a new reason is no new layout, and the program can be replaced under them */

/* The upper half of flags, of a port and of a destination alike: the place of its traffic. 0: it is counted in counters. */
#define SW_PLACE_SHIFT 16
#define SW_PLACE(flags) ((flags) >> SW_PLACE_SHIFT)

struct sw_traffic { /* as in sw_count */
	__u64 opackets, obytes, rpackets, rbytes;
};

struct sw_port {
	__u32 sw;
	__u32 flags;
	__u32 vnic;           /* our number of it, never used again */
	__u8 mac[6];
	__u8 vrrp;            /* its router id, 0 = none */
	__u8 n4;
	__u32 ip4[SW_PORT_IP4];
	__u8 ip6[SW_PORT_IP6][16];
	__u8 n6;
	__u8 pad[3];
	__u32 lists;          /* by which addrs, blocked and cids know its: interface index, and SW_LISTS_ODD at every other change */
	char name[16];        /* what it is called where it is: net0. For people alone */
};

/* maps: ports (ifindex → sw_port), fdb, neighbours, addrs, flood, counters, shapes */
struct sw_mac_key {
	__u32 sw;
	__u8 mac[6];
	__u8 pad[2];
};

struct sw_dest {
	__u32 ifindex;
	__u32 flags; /* PORT_*, the port's own */
	__u32 vnic;  /* as in sw_port; 0: not of a zone */
};

struct sw_ip_key {
	__u32 sw;
	__u32 family; /* 4 or 6 */
	__u8 ip[16];  /* of IPv4 the first four */
};

struct sw_neigh {
	__u8 mac[6];
	__u8 pad[2];
};

/* A trie: prefixes of a port's addresses, and those of the firewall's sets. bits: 64 for list and family, and those of the prefix. */
#define SW_OF_SET 256
struct sw_addr_key {
	__u32 bits;
	__u32 list;   /* port.lists, or the set's number */
	__u32 family; /* of a set with SW_OF_SET */
	__u8 ip[16];
};

struct sw_flood_key {
	__u32 sw;
	__u32 i; /* 0 = how many there are; 1… their interface indexes */
};

struct sw_port_key {
	__u32 list; /* port.lists */
	__u32 port; /* protocol << 16 | number, for blocked_outgoing_ports */
};

/* A DHCP client id, piece by piece: the value of one is what the next begins from. */
struct sw_cid_key {
	__u32 list; /* port.lists */
	__u32 len;  /* of the whole id */
	__u32 from; /* 0: the first piece */
	__u8 part[SW_CID_PART]; /* zeros behind its end */
};

/* ---- DHCP at a port (lease.h), by its interface index ---- */

#define SW_LEASE_FRAME 590 /* no client has to take a longer packet than 576 bytes */

struct sw_lease {
	__u32 ip, server; /* as on the wire */
	__be16 sum;       /* of addresses, protocol and length: where UDP's goes, if the last device is to finish it */
	__u8 frame[SW_LEASE_FRAME]; /* an OFFER without what is of the question */
};

/* ---- what lies outside (uplink.h): by nic tag (sw >> 12) its wire; of fabrics the ends, who is behind which, and whom they know ---- */

#define SW_ENDS 1024 /* of one fabric */

enum { WIRE_UPLINK = 1, WIRE_FABRIC };
#define WIRE_FLOOD 1 /* for whom nothing says where he is: to all ends */

struct sw_wire {
	__u32 kind, ifindex;
	__u32 vni, flags, nends;
	__u32 family;    /* 4 or 6, of all ends */
	__u32 local[4];  /* as sw_end.ip */
};

struct sw_end { /* map ends: by sw_flood_key, i from 1; map remotes: by sw_mac_key */
	__u32 family;
	__u32 ip[4]; /* of IPv4 the first, in the host's order; of IPv6 as on the wire: as bpf_tunnel_key has them */
};

struct sw_peer_key { /* map peers → sw */
	__u32 vni, family;
	__u32 ip[4];
};

/* ---- the firewall (fw.h): lists, sets, flows ---- */

enum { FW_RULE_ANY, FW_RULE_NET, FW_RULE_SET };

/* An element of a zone's list. The first one is struct sw_fw_head. */
struct sw_rule {
	__u8 rule[16];
	__u8 family;  /* 4, 6; 0: both */
	__u8 proto;   /* 0: any */
	__u8 block;
	__u8 peer;    /* FW_RULE_* */
	__u32 set;
	__u8 ip[16], mask[16];
	__u32 nports;
	struct {
		__u16 lo, hi;
	} port[8];    /* of ICMP type << 8 | code; what isn't used has lo > hi */
	__u32 log;    /* what it decides goes into the zone's log */
	__u64 packets, bytes; /* that it decided */
};

struct sw_fw_head { /* as large as sw_rule */
	__u32 nin, nout;  /* 1…nin, then nout more */
	__u64 since;      /* nanoseconds of CLOCK_MONOTONIC: when the firewall went on */
	__u64 in_packets, in_bytes, out_packets, out_bytes; /* that no rule decided */
	__u8 pad[64];
};

/*
 * Which list is a zone's: an element of fw_zones, list << 32 | zone. The zone is there once more because an element's memory is used again at
 * once when it has gone, under who reads it. Lists have numbers that no zone has and that are not used again on this switch.
 */
#define SW_LIST_FIRST (1u << 31)
#define SW_LIST_ROOM  32 /* elements of a list that is ready for whichever zone comes next: with its map's own head a page */
#define SW_SPARES     32 /* so many of them */
enum { /* of fw_spare */
	SW_SPARE_NUMBER, /* the next one, less SW_LIST_FIRST */
	SW_SPARE_LEFT,   /* how many lists have been left */
	SW_SPARE_ASKED,  /* when somebody was asked to see to it, in seconds */
	SW_SPARE_LIST,   /* from here on: a list that is ready, or 0 */
};

struct sw_set_key {
	__u32 set;
	__u32 family;
	__u8 ip[16];
};

/* A flow is the same for both directions: the lesser address first. ICMP: both ports are its id. Fragments: what they have in common. */
struct sw_flow_key {
	__u32 sw;
	__u8 family, proto;
	__u8 kind;       /* FLOW_*; of ICMP the type of the question */
	__u8 pad;
	__u16 port[2];   /* as on the wire; of fragments the id */
	__u8 ip[2][16];
};
#define FLOW_FRAGMENT 255

struct sw_flow {
	__u32 zone[2];  /* whose the ends are, in the order of the key */
	__u32 until;    /* in units of 2^30 ns */
	__u32 owner, slot; /* whom it is charged to */
	__u8 state;
	__u8 from;      /* the end that began it */
	__u8 asked;     /* bits: ends whose rules have let it pass */
	__u8 fin;       /* bits: ends that have said they are done, or (<< 2) broke it off */
};

#define SW_OUTSIDE (1u << 31) /* with a zone's id: flows to it that somebody outside this host began. They have slots of their own */

/* What a zone has of flows: slots 0…window - 1, in each the key of a flow that may have ended. The hand goes round. */
struct sw_use {
	__u32 limit, window, hand;
	__u32 refused; /* when it was refused more, in ms or so (share.h) */
};

struct sw_slot_key {
	__u32 zone, slot;
};

/* ---- the log (log.h): a ring for each zone that has one, buckets by zone and sender ---- */

struct sw_log_key {
	__u32 zone, from; /* from: the port's interface index */
};

struct sw_log_use {
	__u64 paid;   /* when what was logged will be paid for */
	__u64 missed; /* since the last record */
};

struct sw_log {
	__u32 missed; /* records of that sender that were left out before this one */
	__u32 from; /* the port where it came in, of its index what SW_LOG_FROM has room for */
	__u32 at;   /* the port where it is counted; of what rules have decided 0 */
	__u32 len;
	__u8 reason;  /* DROP_*; DROP_NONE: a rule let it begin */
	__u8 out;     /* asked was the sender's firewall */
	__u8 nhead;   /* bytes of head, if that is what there is */
	__u8 family;  /* 4 or 6: then the rest is read already; 0: head */
	__u8 proto, type, code, pad;
	__u16 sport, dport; /* as on the wire */
	__u8 rule[16];
	union {
		struct {
			__u32 src[4], dst[4];
		};
		__u8 head[SW_LOG_HEAD]; /* of the frame */
	};
};

/* ---- bandwidth (shape.h) ---- */

/*
 * What goes through a shaper wire. class_: the minor number of its HTB class, the same on both wires; small frames go to the
 * class after it, the others to the one after that. 0 = not shaped, unless a flow of it is.
 */
struct sw_shape {
	__u32 wire_out, wire_in; /* interface indexes of their near ends */
	__u32 class_;
	__u32 capped;            /* 0: only what is in a flow goes through the wire */
	__u32 nflows;
	__u32 prio;              /* 0 high, 1 medium, 2 low */
	__u64 kbit;              /* maxbw, 0 = none */
};

/* A flow is what fits all that is given; 0 = not given. Ports are those of the VNIC's side (l) and of the other (r). */
struct sw_shape_flow {
	__u32 class_;
	__u32 prio;
	__u64 kbit;
	__u8 family;             /* 4 or 6 */
	__u8 proto, ds, dsmask;
	__u16 lport, rport;      /* network order */
	__u32 lip[4], lmask[4], rip[4], rmask[4];
	char name[32];
};

struct sw_shape_flows {
	struct sw_shape_flow f[SHAPE_FLOWS]; /* the first that fits is it */
};

struct sw_inner { /* map inner_layout */
	struct sw_rule rule;
	struct sw_fw_head head;
	struct sw_log log;
};

struct sw_count { /* one per port and processor: what the VNIC sent (o) and received (r) */
	__u64 opackets, obytes, rpackets, rbytes;
	__u64 drops[DROP_ROOM];
};

#endif
