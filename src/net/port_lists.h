/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a port has beside its own entry: addresses that don't fit there, prefixes, blocked ports, DHCP client ids. They are known by a number that the
 * entry names (sw_port.lists), so that one write of the entry turns from the old ones to the new.
 */
#ifndef CLOISTER_NET_PORT_LISTS_H
#define CLOISTER_NET_PORT_LISTS_H

#include "bpf/switch.h"
#include "net/vnic.h"

/* All that the record says of it, into p and the maps that p->lists leads to. Nobody looks there yet. */
int lists_put(struct net_switch *s, struct sw_port *p, const struct vnic *v, struct err *e);
/* Those that p->flags says it has. */
void lists_forget(struct net_switch *s, const struct sw_port *p);
/* A list belongs to the port whose index it is, or which has it as its other one: whether there is none. */
bool list_nobodys(const struct net_switch *s, uint32_t list);
void lists_sweep(struct net_switch *s);

/* Entries of a map of which is() is true. */
void map_forget(int map, size_t key_size, bool (*is)(const void *key, int map, const void *arg), const void *arg);

#endif
