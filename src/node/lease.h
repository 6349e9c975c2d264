/* SPDX-License-Identifier: MPL-2.0 */
/* What the guest of a machine is told by DHCP of its static address: from its record, at its port of the switch. */
#ifndef CLOISTER_NODE_LEASE_H
#define CLOISTER_NODE_LEASE_H

#include <jansson.h>
#include <stdint.h>

#include "net/switch.h"

/* A NIC without one, or whose address is leased by the switch ("dhcp"), is told nothing here. */
int lease_put(struct net_switch *s, const json_t *rec, const json_t *nic, uint32_t mtu, uint32_t ifindex, struct err *e);

#endif
