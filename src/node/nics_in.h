/* SPDX-License-Identifier: MPL-2.0 */
/* What nics.c (boot and halt) and nics_live.c (a running zone) share. */
#ifndef CLOISTER_NODE_NICS_IN_H
#define CLOISTER_NODE_NICS_IN_H

#include "net/vnic.h"
#include "node/nics.h"

#define NICS_MAX  32
#define IPS_MAX   40
#define PORTS_MAX 64
#define CIDS_MAX  20
#define ROUTES_MAX 8

/* A VNIC with room for its lists. */
struct nic {
	struct vnic v;
	struct net_ip ips[IPS_MAX], allowed[IPS_MAX], gateways[IPS_MAX];
	uint16_t blocked[PORTS_MAX];
	struct vnic_cid cids[CIDS_MAX];
	struct net_route routes[ROUTES_MAX];
	struct net_ip dhcp; /* of one with "dhcp": the subnet that its lease is from */
};

int nic_mac(const json_t *nic, uint8_t mac[6]); /* -EINVAL */
/* Addresses and prefixes as strings; appended to out, which has room for IPS_MAX. */
int nic_parse_list(const json_t *list, struct net_ip *out, size_t *n, const char *what, struct err *e);
/* One NIC of a record; v.port and v.number stay empty. */
int nic_from_record(struct state *st, const json_t *nic, struct nic *out, struct err *e);
/* Addresses and gateways that the kernel would not take: -EINVAL. */
int nic_check(const struct nic *n, struct err *e);
/* The router's port on its switch, where that has one. */
int nic_router(struct vm *v, struct net_switch *s, const json_t *nic, const struct nic *n, struct err *e);
/* <run>/net/<uuid>: a line "port index" for each that was made; index 0 before. The path is the caller's to free. */
char *nics_list(const struct ctx *c, const char *uuid);
int nics_list_add(const struct ctx *c, const char *uuid, const char *port, int ifindex, struct err *e);

#endif
