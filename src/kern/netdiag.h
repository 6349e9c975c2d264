/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What waits and what is configured in the network namespace of the caller: listening sockets by sock_diag, addresses and
 * links by rtnetlink. Who asks for a zone's enters its namespace first, in a process of its own.
 */
#ifndef CLOISTER_KERN_NETDIAG_H
#define CLOISTER_KERN_NETDIAG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum net_kind { NET_TCP, NET_UDP, NET_ADDR, NET_LINK };

struct net_item {
	enum net_kind kind;
	int family;         /* AF_INET, AF_INET6; of NET_LINK 0 */
	uint8_t addr[16];   /* of a link its MAC */
	uint16_t port;
	uint32_t inode;     /* of a socket; 0 = none has it open any more */
	int index;          /* of the interface, 0 = all */
	char name[32];      /* of a link. Its zone may have named it */
};

/* One message of a reply: 1 with *out, 0 for one that is none of that kind. Pure; nothing behind n is read. */
int net_parse(enum net_kind k, const void *msg, size_t n, struct net_item *out);
/* The message that ends a reply: 1 for one that does not, 0 or the error that the kernel ended it with. Pure. */
int net_parse_end(const void *msg, size_t n);
/* Each of a kind. port: of sockets, 0 = all. A negative return of each ends the walk and is returned. */
int net_each(enum net_kind k, uint16_t port, int (*each)(const struct net_item *, void *arg), void *arg, struct err *e);

#endif
