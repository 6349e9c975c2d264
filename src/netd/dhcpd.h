/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-dhcp, one for each uplink with NICs that ask a server outside: two processes. The keeper has the rights of who started it
 * and reads no packet; the client has a socket and no rights. They talk by these records alone.
 */
#ifndef CLOISTER_NETD_DHCPD_H
#define CLOISTER_NETD_DHCPD_H

#include <linux/if_packet.h>

#include "netd/clients.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* client → keeper: what a NIC has now */
struct dhcp_news {
	uint8_t what;     /* enum hold_news; never HOLD_NOTHING */
	uint8_t mac[6];
	char uuid[37];
	uint32_t zoneid;  /* the boot that asked */
	uint64_t until;   /* ms of CLOCK_BOOTTIME */
	struct offer o;   /* with HOLD_GOT */
};

/* keeper → client */
enum { DHCP_ORDER_TABLE = 1, DHCP_ORDER_DECLINE };
struct dhcp_order {
	uint8_t what;
	uint8_t mac[6], ip[4]; /* of DECLINE */
};

/* dhcp_client.c: until its keeper has gone. link: a frame socket at the uplink; ready: to be told "ok", or why not; -1: nobody waits. */
void dhcp_client(int link, int keeper, int ready, unsigned uid) __attribute__((noreturn));
/* dhcp_link.c: that socket, in the network namespace of ns. Negative: errno. */
int dhcp_link(const char *ifname, int ns);

#endif
