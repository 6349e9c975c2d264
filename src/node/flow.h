/* SPDX-License-Identifier: MPL-2.0 */
/* Bandwidth of the NICs of VMs, and the flows of flowadm(8): what the record and the node's flows say, in force at a port. */
#ifndef CLOISTER_NODE_FLOW_H
#define CLOISTER_NODE_FLOW_H

#include "model/flow.h"
#include "net/shape.h"
#include "state/state.h"

/* The ceiling, priority and flows of this NIC of the VM at that port, in place of what is there. */
int nic_shape(struct state *st, struct net_switch *s, const char *uuid, const json_t *nic, uint32_t ifindex, struct err *e);
/* Whether all NICs of a record make sense with their flows: nothing that would do nothing. -EINVAL, -EBUSY */
int nic_shape_check(struct state *st, const json_t *rec, struct err *e);
/* Each flow, of one VM and one NIC of it or (NULL) of all, the first to be looked at first. A negative return of each ends it. */
int flow_each(struct state *st, const char *uuid, const char *nic, int (*each)(const struct flow *, void *arg), void *arg, struct err *e);
/* One, or -ENOENT. */
int flow_get(struct state *st, const char *name, json_t **out, struct err *e);
/* Those of a VM that goes. */
int flow_forget(struct state *st, const char *uuid, struct err *e);
/* The NIC of a VM's record by its interface name: borrowed from rec; NULL: there is none. */
const json_t *flow_nic(const json_t *rec, const char *name);
/* The port of a NIC of a running VM: 1, or 0: it has none now. */
int flow_port(const struct ctx *c, struct net_switch *s, const char *uuid, const json_t *nic, uint32_t *ifindex, struct err *e);
/*
 * flow (NULL: none) in place of what that name has, kept and in force; or all is as before. The VM and NIC are there. -EEXIST: another flow of the
 * NIC says the same of packets.
 */
int flow_change(const struct ctx *c, struct state *st, const char *name, const json_t *flow, struct err *e);
/* What a command that was killed in the middle of that has left: as the record says. */
int flow_recover(const struct ctx *c, struct err *e);

#endif
