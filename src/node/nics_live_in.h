/* SPDX-License-Identifier: MPL-2.0 */
/* The NICs that a running zone has, as the switch knows them: what nics_live.c changes. */
#ifndef CLOISTER_NODE_NICS_LIVE_IN_H
#define CLOISTER_NODE_NICS_LIVE_IN_H

#include "bpf/switch.h"
#include "node/nics_in.h"
#include "node/nics_machine.h"

struct live_port {
	char name[16];
	uint32_t ifindex;
	struct sw_port p;
	bool there;    /* its interface too */
	bool counted;  /* what it carried is in the sum of those that have gone */
};

struct live {
	struct vm *v;
	struct net_switch s;
	int ns, rtnl; /* the zone's */
	struct live_port port[NICS_MAX];
	size_t n;
	uint64_t gone[2]; /* received, sent by those that are no more */
	bool machine;
	struct plug plug; /* taps made here */
	uint32_t firewall, firewall_new; /* PORT_FIREWALL, of ports that are there, and of new ones */
};
#define LIVE_INIT(vm) ((struct live){.v = (vm), .machine = brand_hvm((vm)->brand), .s = NET_SWITCH_INIT, .ns = -1, .rtnl = -1})

/* With the switch's lock until live_close(). What a killed command has left of its ports is finished or taken away. */
int live_open(struct vm *v, struct live *l, struct err *e);
void live_close(struct live *l);
/* NULL: it has none with that link address. */
struct live_port *live_port(struct live *l, const uint8_t mac[6]);
/* Its list in <run>/net is what l has. */
int live_save(struct live *l, struct err *e);
/*
 * The record as far as it holds before the next boot: a NIC that is to move to another switch is on its own until then, and keeps that one's lease.
 * Who has no NIC of that kind gets the record itself. The caller's to release.
 */
json_t *live_record(struct live *l, const json_t *rec);

#endif
