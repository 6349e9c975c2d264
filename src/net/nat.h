/* SPDX-License-Identifier: MPL-2.0 */
/*
 * NAT of the router: out by a veth pair to the host, whose namespace is that of the caller, and in by port forwards. Each side
 * has a table of its own in nftables, replaced in one transaction: connections that there are go on.
 */
#ifndef CLOISTER_NET_NAT_H
#define CLOISTER_NET_NAT_H

#include "base/buf.h"
#include "net/router.h"

#define NAT_UPLINK     "up0" /* the pair's end in the router */
#define NAT_CONNS      4096  /* connections that one address may have */
#define NAT_FIRST_PORT 1024  /* of the router, for the first forward */

struct nat {
	char host_if[16];   /* the pair's end at the host: no two nodes of a machine have one name */
	char table[48];     /* ours at the host */
	uint8_t host_ip[4], router_ip[4]; /* of the pair, /30 */
	const struct router_port *port;
	size_t nport;
};

/* What a node's pair is called, and its addresses. */
void nat_init(struct nat *n, const char *node, const struct router_port *port, size_t nport);
/* Whether one of the switches has nat. */
bool nat_wanted(const struct nat *n);
/* The two sides' rules, for `nft -f -`: pure. */
void nat_router_rules(const struct nat *n, struct buf *out);
void nat_host_rules(const struct nat *n, struct buf *out);
/* The pair, the rules and forwarding, as n says. What is so already stays. dir: <run>/net, where what was changed at the host is noted. */
int nat_up(const struct nat *n, const char *dir, int router_ns, struct err *e);
/* A default route that has come since: forwarding of its interface. For who starts a zone that may need it. 1: somebody has flushed the host's table away. */
int nat_refresh(const struct nat *n, const char *dir, struct err *e);
/* All of it away at the host; forwarding as it was. 0, also if there is nothing. router_ns: -1 = it has gone. */
int nat_down(const struct nat *n, const char *dir, int router_ns, struct err *e);
/*
 * What of the host keeps packets from passing, a line for each: what, and what to do. Nothing appended: nothing is known to.
 * For who reads status, and who has just said nat=on.
 */
int nat_look(const struct nat *n, struct buf *out, struct err *e);

/* The same for rules that are given as `nft -j list ruleset` prints them: pure. */
void nat_look_rules(const char *json, const char *host_if, struct buf *out);
/* Whether our own table is among them, with a chain in it. */
bool nat_look_table(const char *json, const char *table);

#endif
