/* SPDX-License-Identifier: MPL-2.0 */
#include "node/lease.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "model/vm.h"
#include "net/lease.h"
#include "node/addr.h"
#include "node/nics_in.h"

static bool ip4(const char *text, uint8_t out[4])
{
	return text && inet_pton(AF_INET, text, out) == 1;
}

int lease_put(struct net_switch *s, const json_t *rec, const json_t *nic, uint32_t mtu, uint32_t ifindex, struct err *e)
{
	struct net_lease l = {.mtu = mtu, .host = vm_str(rec, "hostname") ?: vm_str(rec, "alias")};
	struct net_ip ips[IPS_MAX];
	const json_t *o;
	size_t i, n = 0;
	bool has = false;
	int r = nic_parse_list(json_object_get(nic, "ips"), ips, &n, "nics.*.ips", e);

	if (r < 0)
		return r;
	for (i = 0; i < n && !has; i++) {
		has = ips[i].family == AF_INET;
		memcpy(l.ip, ips[i].ip, 4);
		l.prefix = ips[i].prefix;
	}
	if (!has || addr_asks(nic, "dhcp"))
		return net_lease(s, ifindex, NULL, e);
	json_array_foreach(json_object_get(nic, "gateways"), i, o)
		if (vm_bool(nic, "primary", false) && ip4(json_string_value(o), l.router))
			break;
	json_array_foreach(json_object_get(rec, "resolvers"), i, o)
		if (l.ndns < LEASE_DNS && ip4(json_string_value(o), l.dns[l.ndns]))
			l.ndns++;
	return net_lease(s, ifindex, &l, e);
}
