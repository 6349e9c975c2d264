/* SPDX-License-Identifier: MPL-2.0 */
/* `routes`: destination → gateway, an address on one of the VM's networks or nics[N]: whoever is there is asked for by ARP. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "kern/ns.h"
#include "kern/pidfd.h"
#include "kern/rtnl.h"
#include "model/netset.h"
#include "model/vm.h"
#include "node/netconf.h"

struct route {
	struct net_cidr to, gateway; /* gateway.family 0: none, by nic */
	unsigned long nic;
};

static int parse(const char *to, const char *gateway, struct route *out)
{
	memset(out, 0, sizeof *out);
	if (netset_cidr(to, true, &out->to) < 0 || !gateway)
		return -EINVAL;
	if (str_starts(gateway, "nics[")) {
		out->nic = strtoul(gateway + strlen("nics["), NULL, 10);
		return 0;
	}
	return netset_cidr(gateway, true, &out->gateway);
}

static bool on_a_nic(const json_t *rec, const struct net_cidr *gateway)
{
	const json_t *nic, *ip;
	size_t i, k;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
		json_array_foreach(json_object_get(nic, "ips"), k, ip)
		{
			struct net_cidr c;

			if (netset_cidr(json_string_value(ip), true, &c) == 0 && netset_within(&c, gateway))
				return true;
		}
	return false;
}

int routes_check(const json_t *rec, struct err *e)
{
	const char *to;
	json_t *gateway;

	json_object_foreach(json_object_get(rec, "routes"), to, gateway)
	{
		const char *g = json_string_value(gateway);
		struct route r;

		if (parse(to, g, &r) < 0)
			return err_set(e, EINVAL, "routes: \"%s\" by \"%s\"", to, g ?: "");
		if (!r.gateway.family && r.nic >= json_array_size(json_object_get(rec, "nics")))
			return err_set(e, EINVAL, "routes: %s by %s, and the VM has %zu NICs", to, g, json_array_size(json_object_get(rec, "nics")));
		if (r.gateway.family && r.gateway.family != r.to.family)
			return err_set(e, EINVAL, "routes: %s by %s: one is IPv4 and the other IPv6", to, g);
		if (r.gateway.family && !on_a_nic(rec, &r.gateway))
			return err_set(e, EINVAL, "routes: %s by %s, which is on no network of a static address of the VM", to, g);
	}
	return 0;
}

/* put: made; else taken away. */
static int one(int s, const json_t *rec, const char *to, const char *gateway, bool put, struct err *e)
{
	const json_t *nic;
	struct route r;
	int index = 0, rc;

	if (parse(to, gateway, &r) < 0)
		return err_set(e, EINVAL, "route %s by %s", to, gateway ?: "");
	if (!r.gateway.family) {
		nic = json_array_get(json_object_get(rec, "nics"), r.nic);
		index = rtnl_index(s, vm_str(nic, "interface") ?: "?", e);
		if (index < 0)
			return err_add(e, "route %s by %s", to, gateway);
	}
	rc = (put ? rtnl_route : rtnl_route_gone)(s, index, r.to.family, r.to.ip, r.to.prefix, r.gateway.family ? r.gateway.ip : NULL, e);
	return rc < 0 ? err_add(e, "route %s by %s", to, gateway) : 0;
}

int routes_up(const json_t *rec, int ns, struct err *e)
{
	const char *to;
	json_t *gateway;
	_fd_ int s = -1;
	int r = 0;

	if (json_object_size(json_object_get(rec, "routes")) == 0)
		return 0;
	s = rtnl_open_in(ns, e);
	if (s < 0)
		return s;
	json_object_foreach(json_object_get(rec, "routes"), to, gateway)
	{
		r = one(s, rec, to, json_string_value(gateway), true, e);
		if (r < 0)
			break;
	}
	return r;
}

static int open_zone(struct vm *v, struct err *e)
{
	_fd_ int init = zone_pidfd(&v->run, e), ns = -1;

	if (init < 0)
		return init;
	ns = ns_open(v->run.init_pid, "net", e);
	if (ns < 0)
		return ns;
	/* it lived when its namespace was opened, so that was its own and not of a process that has its number now */
	if (pidfd_wait(init, 0) == 0)
		return err_set(e, ESRCH, "the zone has ended");
	return rtnl_open_in(ns, e);
}

void routes_live(struct vm *v, const json_t *from, const json_t *to)
{
	const json_t *a = json_object_get(from, "routes"), *b = json_object_get(to, "routes");
	struct err e = ERR_INIT;
	const char *dest;
	json_t *gateway;
	_fd_ int s = -1;
	int r = 0;

	if (!v->run.running || (json_object_size(a) == 0 && json_object_size(b) == 0))
		return;
	s = open_zone(v, &e);
	if (s < 0)
		r = s;
	json_object_foreach((json_t *)a, dest, gateway)
		if (r == 0 && !json_equal(gateway, json_object_get(b, dest)))
			r = one(s, from, dest, json_string_value(gateway), false, &e);
	/* those that stay too: with an address of a NIC the kernel has taken away the routes by it */
	json_object_foreach((json_t *)b, dest, gateway)
		if (r == 0)
			r = one(s, to, dest, json_string_value(gateway), true, &e);
	if (r < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s; at its next boot it is as its record says", v->uuid, e.msg);
}
