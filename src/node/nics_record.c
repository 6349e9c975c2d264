/* SPDX-License-Identifier: MPL-2.0 */
/* One NIC of a record as the switch is told of it. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "bpf/switch.h"
#include "model/vm.h"
#include "node/addr.h"
#include "node/fabric.h"
#include "node/nics_in.h"

#define MTU 1500 /* unless given, and the tag has no less */

/* "10.0.0.1/24", "fd00::1"; without a length it is the whole address. The model has checked it. */
static int parse_ip(const char *text, struct net_ip *out)
{
	const char *slash = strchr(text, '/');
	char addr[64];
	uint64_t n;

	snprintf(addr, sizeof addr, "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	memset(out, 0, sizeof *out);
	out->family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(out->family, addr, out->ip) != 1)
		return -EINVAL;
	out->prefix = out->family == AF_INET ? 32 : 128;
	if (!slash)
		return 0;
	if (str_to_u64(slash + 1, &n) < 0 || n > out->prefix)
		return -EINVAL;
	out->prefix = (unsigned)n;
	return 0;
}

int nic_parse_list(const json_t *list, struct net_ip *out, size_t *n, const char *what, struct err *e)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		if (*n == IPS_MAX)
			return err_set(e, E2BIG, "%s: more than %d", what, IPS_MAX);
		if (str_eq(json_string_value(o), "dhcp") || str_eq(json_string_value(o), "addrconf"))
			continue;
		if (parse_ip(json_string_value(o) ?: "", &out[*n]) < 0)
			return err_set(e, EINVAL, "%s: \"%s\" is no address", what, json_string_value(o) ?: "");
		(*n)++;
	}
	return 0;
}

static uint32_t protection(const json_t *nic)
{
	const json_t *ips = json_object_get(nic, "ips");
	uint32_t f = PORT_MAC_NOSPOOF | PORT_IP_NOSPOOF | PORT_DHCP_NOSPOOF | PORT_RESTRICTED;

	if (vm_bool(nic, "allow_mac_spoofing", false))
		f &= ~(uint32_t)PORT_MAC_NOSPOOF;
	if (vm_bool(nic, "allow_ip_spoofing", false))
		f &= ~(uint32_t)PORT_IP_NOSPOOF;
	if (vm_bool(nic, "allow_restricted_traffic", false))
		f &= ~(uint32_t)PORT_RESTRICTED;
	if (vm_bool(nic, "allow_dhcp_spoofing", false) || vm_bool(nic, "dhcp_server", false))
		f &= ~(uint32_t)(PORT_DHCP_NOSPOOF | PORT_IP_NOSPOOF);
	for (size_t i = 0; i < json_array_size(ips); i++) {
		const char *s = json_string_value(json_array_get(ips, i));

		f |= str_eq(s, "dhcp") ? PORT_DHCP_CLIENT : str_eq(s, "addrconf") ? PORT_ADDRCONF : 0;
	}
	return f;
}

int nic_mac(const json_t *nic, uint8_t m[6])
{
	return sscanf(vm_str(nic, "mac") ?: "", "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) == 6 ? 0 : -EINVAL;
}

/* Hex digits, two for a byte, as the model has checked; at most 255 bytes, which is all that DHCP can name. */
static int parse_cids(const json_t *list, struct nic *out, struct err *e)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o)
	{
		struct vnic_cid *c = &out->cids[out->v.ncids];
		const char *hex = json_string_value(o) ?: "";
		size_t n = strlen(hex) / 2;

		if (out->v.ncids == CIDS_MAX || n > sizeof c->id)
			return err_set(e, E2BIG, "nics.*.allowed_dhcp_cids: at most %d, of at most %zu bytes each", CIDS_MAX, sizeof c->id);
		for (size_t k = 0; k < n; k++)
			if (sscanf(hex + 2 * k, "%2hhx", &c->id[k]) != 1)
				return err_set(e, EINVAL, "nics.*.allowed_dhcp_cids: \"%s\" is not hex", hex);
		c->len = (uint8_t)n;
		out->v.ncids++;
	}
	return 0;
}

int nic_from_record(struct state *st, const json_t *nic, struct nic *out, struct err *e)
{
	const char *tag = vm_str(nic, "nic_tag"), *name = vm_str(nic, "interface"), *vrrp = vm_str(nic, "vrrp_primary_ip");
	struct state_nictag t;
	size_t i;
	json_t *o;
	int r = state_nictag_get(st, tag ?: "", &t, e);

	if (r < 0)
		return err_add(e, "nics");
	if (vm_int(nic, "vlan_id", 0) && fabric_is(st, tag)) /* RFC 7348, 6.1: no tags in a tunnel */
		return err_set(e, ENOTSUP, "nics: vlan_id of %s: nic tag %s is a fabric, which has no VLANs; give each a fabric of its own", name ?: "?", tag);
	memset(out, 0, sizeof *out);
	out->v.sw = t.id << 12 | (uint32_t)vm_int(nic, "vlan_id", 0);
	out->v.mtu = (uint32_t)vm_int(nic, "mtu", t.mtu < MTU ? t.mtu : MTU);
	if (out->v.mtu > t.mtu)
		return err_set(e, EINVAL, "nics: the MTU %u of %s is above that of nic tag %s, %u", out->v.mtu, name ?: "?", tag, t.mtu);
	out->v.flags = protection(nic);
	out->v.vrrp = (uint8_t)vm_int(nic, "vrrp_vrid", 0);
	snprintf(out->v.name, sizeof out->v.name, "%s", name ?: "net0");
	if (nic_mac(nic, out->v.mac) < 0)
		return err_set(e, EINVAL, "nics: %s has no link address", out->v.name);
	r = nic_parse_list(json_object_get(nic, "ips"), out->ips, &out->v.nips, "nics.*.ips", e);
	if (r == 0)
		r = nic_parse_list(json_object_get(nic, "allowed_ips"), out->allowed, &out->v.nallowed, "nics.*.allowed_ips", e);
	if (r == 0 && vm_bool(nic, "primary", false))
		r = nic_parse_list(json_object_get(nic, "gateways"), out->gateways, &out->v.ngateways, "nics.*.gateways", e);
	if (r == 0 && (out->v.flags & PORT_DHCP_CLIENT))
		r = addr_lease(st, nic, out, e);
	if (r == 0 && vrrp && out->v.nallowed < IPS_MAX)
		r = parse_ip(vrrp, &out->allowed[out->v.nallowed++]);
	json_array_foreach(json_object_get(nic, "blocked_outgoing_ports"), i, o)
	{
		uint64_t port;

		if (out->v.nblocked < PORTS_MAX && str_to_u64(json_string_value(o) ?: "", &port) == 0)
			out->blocked[out->v.nblocked++] = (uint16_t)port;
	}
	if (r == 0)
		r = parse_cids(json_object_get(nic, "allowed_dhcp_cids"), out, e);
	out->v.cids = out->cids;
	out->v.ips = out->ips;
	out->v.allowed = out->allowed;
	out->v.gateways = out->gateways;
	out->v.routes = out->routes;
	out->v.blocked = out->blocked;
	return r;
}
