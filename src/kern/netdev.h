/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Devices of a host as rtnetlink shows them: looked for, moved to another network namespace, and what they have of addresses and
 * routes kept and given to another. Sockets are rtnl_open()'s.
 */
#ifndef CLOISTER_KERN_NETDEV_H
#define CLOISTER_KERN_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct netdev {
	int index;
	int master;       /* of a bridge or bond it is in; 0: none */
	int below;        /* IFLA_LINK, of this namespace: what it is built on, a veth's other end; 0: none */
	uint32_t mtu;
	unsigned flags;   /* IFF_* */
	unsigned type;    /* ARPHRD_* */
	uint8_t mac[6];
	char name[16];
	char kind[16];    /* "veth", "bridge", …; "" of a physical one */
};

/* Each device of that namespace. A negative return of each ends the walk and is returned. */
int netdev_each(int rtnl, int (*each)(const struct netdev *, void *arg), void *arg, struct err *e);
/* -ENODEV. */
int netdev_get(int rtnl, const char *name, struct netdev *out, struct err *e);
/* Down and without addresses, as name in namespace ns; who has that name there keeps it: -EEXIST. */
int netdev_move(int rtnl, int index, int ns, const char *name, struct err *e);
/* Takes all frames, whomever they are for. */
int netdev_promisc(int rtnl, int index, struct err *e);
int netdev_mtu(int rtnl, int index, uint32_t mtu, struct err *e);

/*
 * Its addresses and routes, as messages of the kernel's own, one behind the other; not what the kernel makes by itself (link-local
 * addresses, routes to its own subnets). def: one of them is a default route. -ENOTSUP: a route over several devices has it.
 */
int netdev_save(int rtnl, int index, struct buf *out, bool *def, struct err *e);
/* Gives them to an interface, which is set up between addresses and routes. What is there already stays. What can't be given is counted. */
int netdev_restore(int rtnl, int index, const void *saved, size_t n, unsigned *failed, struct err *e);
/* The addresses among what was saved. family AF_INET or AF_INET6. */
int netdev_addresses(const void *saved, size_t n, int (*each)(int family, const uint8_t *ip, unsigned prefix, void *arg), void *arg);

/* A VXLAN device, down, in namespace ns; its datagrams come and go where the socket is. -EOPNOTSUPP: this kernel has no vxlan; -EEXIST: another has that port. */
int netdev_vxlan(int rtnl, int ns, const char *name, uint16_t port, uint32_t mtu, struct err *e);
/* The MTU of the device by which a packet to addr leaves, and whether from is an address of this host. -ENETUNREACH. */
int netdev_path_mtu(int rtnl, int family, const void *to, const void *from, uint32_t *mtu, struct err *e);

#endif
