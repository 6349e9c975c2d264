/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Links, addresses and routes by rtnetlink. A socket belongs to the network namespace in which it was opened, whatever its
 * user enters later. Each call waits for the kernel's answer, for five seconds (-ETIMEDOUT); an error carries the kernel's own words where it has any.
 */
#ifndef CLOISTER_KERN_RTNL_H
#define CLOISTER_KERN_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A socket in the caller's network namespace, and one in that of descriptor ns (the calling thread is there meanwhile). */
int rtnl_open(struct err *e);
int rtnl_open_in(int ns, struct err *e);

struct rtnl_veth {
	const char *name;    /* at most 15 bytes, as peer */
	const char *peer;
	int peer_ns;         /* descriptor; -1: the same namespace */
	const uint8_t *mac;  /* six bytes; NULL: the kernel's choice */
	const uint8_t *peer_mac;
	uint32_t mtu;        /* of both, 0: 1500 */
	uint32_t queues;     /* of each end and direction, 0: 1 */
	uint32_t txqlen;     /* frames that may wait in each end's queues, 0: the kernel's choice */
};
/* Both ends, down. -EEXIST: the name is taken. */
int rtnl_veth(int s, const struct rtnl_veth *v, struct err *e);
/* Its index, or -ENODEV. */
int rtnl_index(int s, const char *name, struct err *e);
struct rtnl_link {
	int index;
	int peer;        /* a veth's other end, by its index in the namespace that it is in; 0: none */
	uint32_t mtu;
	uint8_t mac[6];
	char name[16];
	bool up, running; /* running: a carrier */
};
/* -ENODEV. */
int rtnl_get(int s, int index, struct rtnl_link *out, struct err *e);
/* 1 = there is an interface of that index, 0 = there is none. */
int rtnl_has(int s, int index, struct err *e);
int rtnl_up(int s, int index, bool up, struct err *e);
int rtnl_mtu(int s, int index, uint32_t mtu, struct err *e);
/* 0, also if it was not there. A veth's peer goes with it. */
int rtnl_delete(int s, int index, struct err *e);
/* family AF_INET or AF_INET6, addr 4 or 16 bytes. 0, also if it was there already. */
int rtnl_address(int s, int index, int family, const void *addr, unsigned prefix, struct err *e);
/* 0, also if it was not there. */
int rtnl_address_gone(int s, int index, int family, const void *addr, unsigned prefix, struct err *e);
/* to NULL: the default route. index 0: told by the gateway. 0, also if it was there already. */
int rtnl_route(int s, int index, int family, const void *to, unsigned prefix, const void *gateway, struct err *e);
/* 0, also if it was not there. */
int rtnl_route_gone(int s, int index, int family, const void *to, unsigned prefix, const void *gateway, struct err *e);

#endif
