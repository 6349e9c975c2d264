/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a switch's responder answers from: a text that commands write (net/netd.c) and replace in one rename. One line each:
 *
 *	server 10.7.0.1              our own address there; server6 likewise
 *	subnet 10.7.0.0/24           subnet6 likewise
 *	router 10.7.0.1              whom clients send what leaves the subnet
 *	mtu 1500                     domain zones.internal
 *	dns 10.7.0.1                 what clients are told; each address a line
 *	forward 192.0.2.53           whom the forwarder asks; each a line
 *	serve dhcp|ra|dns
 *	zone UUID MAC LEASE|- NAME[,NAME…]|- ADDRESS[,ADDRESS…]|-
 */
#ifndef CLOISTER_NETD_TABLE_H
#define CLOISTER_NETD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_LIST  4     /* resolvers of each kind */
#define TABLE_MAX   (64u << 20)
#define NAME_MAX_DNS 255

struct tip {
	uint8_t family; /* 4 or 6, 0 = none */
	uint8_t bits;   /* of a prefix */
	uint8_t ip[16];
};

struct tzone {
	uint8_t mac[6];
	uint8_t lease[4]; /* 0.0.0.0: none */
	const char *name; /* the first of its names, NULL: it has none */
	uint64_t vm;      /* a hash of its uuid, never 0 */
};

struct towner {
	struct tip ip;
	uint64_t vm;
};

struct tname {
	const char *name; /* lower case, without the domain */
	struct tip ip;
};

struct table {
	char *text;          /* what the names point into */
	struct tip server, server6, subnet, subnet6, router;
	bool dhcp, ra, dns;
	uint32_t mtu;
	char domain[NAME_MAX_DNS + 1]; /* lower case, without the last dot; may be empty */
	struct tip told[TABLE_LIST], forward[TABLE_LIST];
	size_t ntold, nforward;
	struct tzone *zone;  /* by MAC */
	struct tname *name;  /* by name */
	struct tname *addr;  /* by address: the first name of each */
	struct towner *owner; /* by address: all that stand in lines of zones */
	size_t nzone, nname, naddr, nowner;
};

/* Takes n bytes of text over (malloc'd, with a NUL behind it), also when it fails. 0, or the number of the line that is wrong. */
int table_parse(char *text, size_t n, struct table *out);
void table_free(struct table *t);

const struct tzone *table_mac(const struct table *t, const uint8_t mac[6]);
/* The first entry of that name, and in n how many follow each other. NULL: none. */
const struct tname *table_name(const struct table *t, const char *name, size_t *n);
const struct tname *table_addr(const struct table *t, const struct tip *ip);
/* Whose address that is, one that a link address forms too: tzone.vm; 0 = nobody's that the table knows. */
uint64_t table_owner(const struct table *t, const struct tip *ip);
bool tip_within(const struct tip *net, const struct tip *ip);
/* "10.0.0.1", "fd00::1", with /bits if it has them. */
bool tip_parse(const char *s, struct tip *out);

#endif
