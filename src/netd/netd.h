/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-netd, one for each switch that asks for services: inside. Whoever is on that switch is hostile, so what is read
 * from it goes through the pure functions of table.h's neighbours, and the process that calls them has no rights.
 */
#ifndef CLOISTER_NETD_NETD_H
#define CLOISTER_NETD_NETD_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "netd/slots.h"
#include "netd/table.h"

/* The descriptors that the command gives us. */
enum { FD_FOLDER = 3, FD_NS, FD_LOCK, FD_READY };

#define QUERIES     256 /* on their way to other servers */
#define QUERIES_OF  32  /* of one VM */
#define CONNS       32  /* by TCP */
#define CONNS_OF    4
#define BUCKETS     256
#define DNS_RATE    500 /* questions of one VM in a second */

struct netd;
struct source {
	int fd;
	void (*ready)(struct netd *, struct source *);
};

struct bucket {
	uint64_t at; /* when it was full, or would be, in ns of CLOCK_MONOTONIC */
};

struct netd {
	struct table t;
	char ifname[16];
	unsigned ifindex;
	uint8_t mac[6];
	int epoll, out; /* out: frames, to this interface */
	struct source dhcp, dhcp6, solicited, signals;
	struct source dns[2], tcp[2]; /* IPv4, IPv6 */
	struct bucket bucket[BUCKETS];
	uint64_t ra_next, ra_last;
	unsigned ra_count;
};

/* A socket's other end and, of a packet that came by UDP, which of our addresses it was for. */
struct peer {
	struct sockaddr_storage a;
	socklen_t n;
	struct {
		_Alignas(struct cmsghdr) char bytes[64];
	} at;
	size_t nat;
};

uint64_t now_ns(void);
/* Whether one more from this sender is answered: so many a second, and as many at once. */
bool may(struct netd *d, const void *who, size_t n, unsigned per_second);
/* Which VM an address is, as the table knows it; all that it does not know (allowed_ips) are one. With a name for each of its addresses, one VM would be many. */
uint64_t client_of(const struct netd *d, const struct sockaddr_storage *who);
/* The same for a question. */
bool may_ask(struct netd *d, const struct sockaddr_storage *who);
void watch(struct netd *d, struct source *s, uint32_t events);
void watch_again(struct netd *d, struct source *s, uint32_t events);
void unwatch(struct netd *d, struct source *s);
/* Address n of the forwarder's list as a socket address with port 53. */
socklen_t server_address(const struct table *t, size_t n, struct sockaddr_storage *out);

/* ---- sockets.c: what needs rights, before they are dropped. NULL, or what could not be opened (errno) ---- */
const char *sockets_open(struct netd *d);
/* ---- lockin.c: the same way. asks: it may open sockets of UDP and TCP, for questions to other name servers. */
const char *lock_in(unsigned uid, bool asks);

/* ---- serve.c ---- */
void serve_dhcp(struct netd *d, struct source *s);
void serve_dhcp6(struct netd *d, struct source *s);
void serve_solicited(struct netd *d, struct source *s);
/* An advertisement to all, if one is due; last: that there is none any more. When the next is due. */
uint64_t serve_advertise(struct netd *d, bool now, bool last);

/* ---- forward.c and tcp.c ---- */
void dns_udp(struct netd *d, struct source *s);
void dns_accept(struct netd *d, struct source *s);
/* What has waited too long is asked elsewhere or given up. Whether anything is still under way. */
bool dns_udp_tick(struct netd *d);
bool dns_tcp_tick(struct netd *d);

#endif
