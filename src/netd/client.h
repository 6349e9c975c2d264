/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's side of DHCPv4 (RFC 2131, 2132, 3442) as functions of a packet: an answer, as far as it may be used, and questions.
 * Whoever is on the network outside can send answers, so what no host could have as its address, or is no network, is no answer. Pure.
 */
#ifndef CLOISTER_NETD_CLIENT_H
#define CLOISTER_NETD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/table.h"

#define CLIENT_DNS     4
#define CLIENT_ROUTES  8
#define CLIENT_LEAST_S 10            /* a shorter lease is none */
#define CLIENT_MOST_S  (30 * 86400)  /* of a longer one so much is used */
#define CLIENT_BITS    8             /* no network is larger than a /8: all that is not there would be beyond reach */
#define CLIENT_FRAME   1024          /* the longest question, with its headers */

struct client_route {
	uint8_t to[4], bits, via[4];
};

struct offer {
	uint8_t type;                /* DHCP_OFFER, DHCP_ACK or DHCP_NAK; of the last the server is all there is */
	uint8_t ip[4], bits;
	uint8_t server[4];
	uint8_t router[4];           /* 0.0.0.0: none */
	uint8_t ndns, nroutes;
	uint8_t dns[CLIENT_DNS][4];
	struct client_route route[CLIENT_ROUTES];
	char domain[NAME_MAX_DNS + 1]; /* lower case; "": none */
	uint32_t lease, t1, t2;      /* seconds: t1 < t2 < lease */
};

struct question {
	uint8_t type;
	uint8_t mac[6], to_mac[6];
	uint8_t to[4], from[4];      /* IPv4 addresses of the packet */
	uint8_t ciaddr[4], requested[4], server[4]; /* 0.0.0.0: not said */
	uint32_t xid;
	uint16_t secs, vlan;
	const uint8_t *cid;          /* NULL: its link address is its id */
	uint8_t ncid;
	const char *name;            /* of the host; NULL: not said; left out where there is no room */
};

/* What a DHCP server sent in an Ethernet frame: *msg and its length. sums: its checksums are there already. */
bool client_packet(const uint8_t *f, size_t n, bool sums, const uint8_t **msg, size_t *len);
/* What a client of ours sent: whose question it is, its type, number and the address that it is about (0.0.0.0: none). */
struct asked {
	uint8_t type, mac[6], ip[4];
	uint32_t xid;
};
bool client_asked(const uint8_t *f, size_t n, struct asked *out);
/* An answer to this card's question with that number. */
bool client_answer(const uint8_t *m, size_t n, const uint8_t mac[6], uint32_t xid, struct offer *out);
/* Whose number and card a message is about, without reading further: for who looks for its question. */
bool client_about(const uint8_t *m, size_t n, uint8_t mac[6], uint32_t *xid);
/* The frame, tagged if it has a VLAN. Its length, 0: it does not fit. */
size_t client_ask(const struct question *q, uint8_t out[CLIENT_FRAME]);
/* Whether a host may have this address in a network of so many bits. */
bool client_host(const uint8_t ip[4], unsigned bits);
bool client_within(const uint8_t a[4], const uint8_t b[4], unsigned bits);

#endif
