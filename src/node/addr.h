/* SPDX-License-Identifier: MPL-2.0 */
/* Addresses that a VM's NICs get from their switches: leases, and what the switches' responders know of the VM. */
#ifndef CLOISTER_NODE_ADDR_H
#define CLOISTER_NODE_ADDR_H

#include <netinet/in.h>

#include "net/vnic.h"
#include "node/nics_in.h"
#include "node/vm.h"

struct netset;

/* "TAG" or "TAG/VLAN", the name of the switch that a NIC is on. The caller's to free. */
char *addr_switch(const json_t *nic);
/* Whether "dhcp" or "addrconf" is among its ips. */
bool addr_asks(const json_t *nic, const char *word);
/* The settings of its switch: 1, 0 = it has none. */
int addr_settings(struct state *st, const json_t *nic, struct netset *out, struct err *e);
/* addr_tell.c: the address that its link address forms in a network of 64 bits; -EINVAL: it has none. */
int addr_formed(const json_t *nic, const uint8_t net[8], char out[INET6_ADDRSTRLEN]);
/* A NIC with "dhcp": its lease goes to n's addresses, if it has one yet; refused by name where its switch gives none. */
int addr_lease(struct state *st, const json_t *nic, struct nic *n, struct err *e);
/* Its lease, in network order: 1, 0 = it has none. */
int addr_leased(struct state *st, const json_t *nic, uint8_t ip[4], struct err *e);
/* 1 = one of its NICs has a lease that addr_take() would replace: its switch's subnet is another. */
int addr_stale(struct state *st, const char *uuid, const json_t *rec, struct err *e);
/* Leases for those NICs of a record that have none. */
int addr_take(struct state *st, const char *uuid, const json_t *rec, struct err *e);
/* addr_tell.c: what responders know of a running VM is what this record says; with the switch's lock. rec NULL: nothing. zoneid: of this boot of it. */
int addr_tell(const struct ctx *c, struct state *st, struct net_switch *s, const char *uuid, uint64_t zoneid, const json_t *rec, struct err *e);
/* Responders as a switch's settings say. sw, mtu: of its router's interface. */
int addr_sync(const struct ctx *c, struct state *st, struct net_switch *s, uint32_t sw, uint32_t mtu, const struct netset *set, struct err *e);

#endif
