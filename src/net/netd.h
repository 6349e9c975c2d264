/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command's side of a switch's responder (cloister-netd): its table, and that it runs as long as the table has a zone.
 * All under the switch's lock. <run>/net/netd/<interface>/ has table, pid and lock; the process may die at any time, and the
 * next of these calls starts it again.
 */
#ifndef CLOISTER_NET_NETD_H
#define CLOISTER_NET_NETD_H

#include <stddef.h>

#include "net/switch.h"

struct netd {
	const struct ctx *c;
	struct net_switch *s;
	char *const *join; /* cgroup.procs files that it goes into, NULL at the end; NULL: it stays where we are */
};

/*
 * head: the table's settings; NULL: as they are. uuid: whose lines (each "zone UUID …\n") are replaced by lines, NULL: nobody's.
 * Starts it, tells it or ends it as the table says then.
 */
int netd_put(const struct netd *n, uint32_t sw, const char *head, const char *uuid, const char *lines, struct err *e);
/* Lines of this zone in the tables of all switches but these: away. */
int netd_drop_zone(const struct netd *n, const char *uuid, const uint32_t *but, size_t nbut, struct err *e);
/* Whether there is a table for this switch. */
bool netd_has(const struct net_switch *s, uint32_t sw);
/* Ends those of switches that are not among these, with their folders. */
int netd_sweep(struct net_switch *s, const uint32_t *sw, size_t n, struct err *e);

#endif
