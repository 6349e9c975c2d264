/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Logs of drops in the switch: a zone's ring, in which records wait for the zone's worker (zone/droplog.h reads them). What goes in: drops at
 * ports with PORT_LOG, and what a rule with `log` decides. The switch is open, that is, locked.
 */
#ifndef CLOISTER_NET_LOG_H
#define CLOISTER_NET_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "net/switch.h"

/* Each of these zones has a ring from now on. Waits for the kernel (a grace period, some 10 ms) if one is made, once however many. */
int net_log_on(struct net_switch *s, const uint32_t *zone, size_t n, struct err *e);
/*
 * The file for the zone's worker, which sees none of our mounts: the numbers of its ring and of the map of ports, if it has a ring. 1 = written,
 * 0 = it has none.
 */
int net_log_note(struct net_switch *s, uint32_t zone, const char *path, struct err *e);
/* All ports of the zone: whether their drops go into its log. */
int net_log_ports(struct net_switch *s, uint32_t zone, bool on, struct err *e);
/* The zone has gone: its ring, and the buckets in it. 0, also if it had none. */
int net_log_drop(struct net_switch *s, uint32_t zone, struct err *e);
/* A port has gone: its buckets in all rings. */
void net_log_port_gone(struct net_switch *s, uint32_t ifindex);

#endif
