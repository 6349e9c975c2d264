/* SPDX-License-Identifier: MPL-2.0 */
/* A port in the maps of the switch: made, changed in one write, forgotten. For who makes the interfaces (vnic.c). */
#ifndef CLOISTER_NET_PORT_H
#define CLOISTER_NET_PORT_H

#include "net/vnic.h"

/*
 * Whether its MAC and addresses are nobody else's on its switch: -EADDRINUSE. Ports of theirs whose interface has gone are forgotten.
 * ifindex: its own, or 0 before it has one.
 */
int port_claim(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e);
/* A new one. What is there of it after a failure port_forget() takes away. */
int port_put(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e);
/*
 * What v says of addresses, protection and blocked ports, in place of what there is; switch and MAC stay. A frame is judged by the
 * old or the new, and by the new once this returns. After a failure it is the one or the other: change it back.
 */
int port_change(struct net_switch *s, const struct vnic *v, uint32_t ifindex, struct err *e);
/* One of the flags that no record says (bandwidth), here and where it is a destination. -ENOENT: no such port. */
int port_flag(struct net_switch *s, uint32_t ifindex, uint32_t flag, bool on, struct err *e);
int port_forget(struct net_switch *s, uint32_t ifindex, struct err *e);
/* Lists and counters of no port, which a command that was killed has left. */
void port_sweep(struct net_switch *s);

#endif
