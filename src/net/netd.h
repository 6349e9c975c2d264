/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command's side of a switch's responder (cloister-netd), and of what asks a DHCP server outside for the NICs of an uplink (cloister-dhcp): its
 * table, and that it runs as long as the table has a zone. All under the switch's lock. <run>/net/netd/<interface>/, of the other
 * <run>/net/dhcp/<interface>/, has table, pid and lock; the process may die at any time, and the
 * next of these calls starts it again.
 */
#ifndef CLOISTER_NET_NETD_H
#define CLOISTER_NET_NETD_H

#include <stddef.h>

#include "net/switch.h"

enum netd_kind { NETD_SERVES, NETD_ASKS };

struct netd {
	const struct ctx *c;
	struct net_switch *s;
	char *const *join; /* cgroup.procs files that it goes into, NULL at the end; NULL: it stays where we are */
	enum netd_kind kind;
};

/*
 * head: the table's settings; NULL: as they are. uuid: whose lines (each "zone UUID …\n") are replaced by lines, NULL: nobody's.
 * Starts it, tells it or ends it as the table says then. One that asks is of a nic tag: sw without its VLAN.
 */
int netd_put(const struct netd *n, uint32_t sw, const char *head, const char *uuid, const char *lines, struct err *e);
/* Lines of this zone in the tables of all switches but these: away. */
int netd_drop_zone(const struct netd *n, const char *uuid, const uint32_t *but, size_t nbut, struct err *e);
/* Whether there is a responder's table for this switch. */
bool netd_has(const struct net_switch *s, uint32_t sw);
/* Ends that of one switch or uplink, with its folder. */
int netd_end(struct net_switch *s, enum netd_kind kind, uint32_t sw, struct err *e);
/* Ends those of switches that are not among these, with their folders. */
int netd_sweep(struct net_switch *s, enum netd_kind kind, const uint32_t *sw, size_t n, struct err *e);

#endif
