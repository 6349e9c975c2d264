/* SPDX-License-Identifier: MPL-2.0 */
#include "node/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "model/netset.h"
#include "model/vm.h"
#include "node/outside.h"

char *addr_switch(const json_t *nic)
{
	const char *tag = vm_str(nic, "nic_tag") ?: "";
	long long vlan = (long long)vm_int(nic, "vlan_id", 0);

	return vlan ? xprintf("%s/%lld", tag, vlan) : xstrdup(tag);
}

int addr_settings(struct state *st, const json_t *nic, struct netset *out, struct err *e)
{
	_free_ char *name = addr_switch(nic);
	struct err miss = ERR_INIT;
	json_t *set = NULL;
	int r = state_net_get(st, "switch", name, &set, &miss);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && e)
		*e = miss;
	if (r == 0)
		r = netset_parse(set, out, e);
	json_decref(set);
	return r < 0 ? r : 1;
}

bool addr_asks(const json_t *nic, const char *word)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(nic, "ips"), i, o)
		if (str_eq(json_string_value(o), word))
			return true;
	return false;
}

static uint32_t ip4(const struct net_cidr *c)
{
	uint32_t v;

	memcpy(&v, c->ip, 4);
	return ntohl(v);
}

/* ---- leases ---- */

int addr_leased(struct state *st, const json_t *nic, uint8_t ip[4], struct err *e)
{
	char vm[37];
	uint32_t a;
	int r = addr_asks(nic, "dhcp") ? state_lease_get(st, vm_str(nic, "mac") ?: "", vm_str(nic, "nic_tag") ?: "", (unsigned)vm_int(nic, "vlan_id", 0), vm, &a, e) : 0;

	if (r > 0) {
		a = htonl(a);
		memcpy(ip, &a, 4);
	}
	return r;
}

static int no_server(const json_t *nic, struct err *e)
{
	_free_ char *name = addr_switch(nic);

	err_set(e, ENOTSUP, "nics.*.ips: \"dhcp\" is not available on nic tag %s: its switch has no DHCP server of ours, and is no uplink by which one could be asked", name);
	return err_hint(e, "`cloister net set %.60s subnet=NETWORK dhcp=on`, or give the NIC an address.", name);
}

int addr_lease(struct state *st, const json_t *nic, struct nic *n, struct err *e)
{
	struct netset *set = xalloc(sizeof *set);
	uint8_t ip[4];
	int r = addr_settings(st, nic, set, e);

	if (r > 0 && set->dhcp) {
		r = addr_leased(st, nic, ip, e);
	} else if (r >= 0) {
		r = outside_asks(st, nic, e);
		if (r == 0)
			r = no_server(nic, e);
		if (r > 0)
			r = outside_lease(st, nic, n, e);
		free(set);
		return r;
	}
	if (r >= 0) {
		n->dhcp = (struct net_ip){.family = AF_INET, .prefix = set->subnet.prefix};
		memcpy(n->dhcp.ip, set->subnet.ip, 4);
	}
	if (r > 0 && n->v.nips < IPS_MAX) {
		struct net_ip *a = &n->ips[n->v.nips++];

		*a = n->dhcp;
		memcpy(a->ip, ip, 4);
	}
	/* the way out that a client would be told of; one that the record names goes first */
	if (r > 0 && set->nat && vm_bool(nic, "primary", false) && n->v.ngateways < IPS_MAX) {
		bool have = false;

		for (size_t i = 0; i < n->v.ngateways; i++)
			have |= n->gateways[i].family == AF_INET;
		if (!have) {
			struct net_ip *g = &n->gateways[n->v.ngateways++];

			*g = (struct net_ip){.family = AF_INET, .prefix = 32};
			memcpy(g->ip, set->gateway.ip, 4);
		}
	}
	free(set);
	return r < 0 ? r : 0;
}

static int take_one(struct state *st, const struct lease_ask *q, struct err *e)
{
	uint32_t ip;

	return state_lease_take(st, q, &ip, e);
}

/* Calls each with what every NIC that asks for a lease would ask for; a return other than 0 ends it and is returned. */
static int asks_each(struct state *st, const char *uuid, const json_t *rec, int (*each)(struct state *st, const struct lease_ask *q, struct err *e), struct err *e)
{
	struct netset *set = xalloc(sizeof *set);
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		struct lease_ask q = {.vm = uuid, .mac = vm_str(o, "mac") ?: "", .tag = vm_str(o, "nic_tag") ?: "", .vlan = (unsigned)vm_int(o, "vlan_id", 0)};

		if (r || !addr_asks(o, "dhcp"))
			continue;
		r = addr_settings(st, o, set, e);
		if (r == 0 || (r > 0 && !set->dhcp)) {
			r = outside_asks(st, o, e);
			r = r == 0 ? no_server(o, e) : r < 0 ? r : outside_late(st, uuid, o, each == take_one, e);
		} else if (r > 0) {
			q.prefix = set->subnet.prefix;
			q.net = ip4(&set->subnet);
			q.gateway = ip4(&set->gateway);
			r = each(st, &q, e);
		}
		if (r < 0)
			err_add(e, "a lease for %s", q.mac);
	}
	free(set);
	return r;
}

int addr_take(struct state *st, const char *uuid, const json_t *rec, struct err *e)
{
	return asks_each(st, uuid, rec, take_one, e);
}

int addr_stale(struct state *st, const char *uuid, const json_t *rec, struct err *e)
{
	return asks_each(st, uuid, rec, state_lease_stale, e);
}
