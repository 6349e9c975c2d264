/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Settings of a nic tag's switch (`cloister net set`): the object of kind "switch", as JSON and as plain data. Pure: what
 * needs the host or another switch is looked at in node/netset.h.
 */
#ifndef CLOISTER_MODEL_NETSET_H
#define CLOISTER_MODEL_NETSET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { NETSET_RESOLVERS = 16, NETSET_FORWARDS = 64 };

struct net_cidr {
	int family;      /* AF_INET, AF_INET6; 0 = not set */
	unsigned prefix;
	uint8_t ip[16];
};

/* "tcp:8080=web:80", "udp:192.0.2.1:53=10.0.0.5:53" */
struct netset_forward {
	bool udp;
	bool any;            /* on every address of the host, else on address */
	uint8_t address[4];
	uint16_t port;
	char to[190];        /* an address, or a VM's alias or uuid: then ip is filled in by who knows the VMs */
	bool named;
	uint8_t ip[4];
	uint16_t to_port;
};

struct netset {
	char tag[32];
	unsigned vlan;
	struct net_cidr subnet, gateway, subnet6, gateway6; /* a gateway's prefix is that of its subnet */
	bool nat, dhcp, ra, dns;
	struct net_cidr resolvers[NETSET_RESOLVERS];
	unsigned nresolvers;
	char domain[256];
	uint32_t mtu;        /* 0: the tag's */
	struct netset_forward forwards[NETSET_FORWARDS];
	unsigned nforwards;
};

/* Name of the i-th key, NULL past the last. */
const char *netset_key(size_t i);
/* Puts a value, given as text, into the object; "" takes the key out. Each by itself is checked here. */
int netset_put(json_t *set, const char *key, const char *value, struct err *e);
/* A gateway for a subnet that has none: its first address. */
void netset_defaults(json_t *set);
/* All of it, with what must hold between keys. */
int netset_parse(const json_t *set, struct netset *out, struct err *e);
/* "10.0.0.0/8", of either family; len_optional: an address alone is all of it. 0 or -EINVAL. */
int netset_cidr(const char *text, bool len_optional, struct net_cidr *out);
bool netset_overlap(const struct net_cidr *a, const struct net_cidr *b);
bool netset_within(const struct net_cidr *net, const struct net_cidr *addr);
/* Whether there is one packet that both forwards would be for. */
bool netset_same_port(const struct netset_forward *a, const struct netset_forward *b);
/* What the fuzzer begins at: one forward. 0 or -EINVAL; untouched then. */
int netset_forward(const char *text, struct netset_forward *out);

#endif
