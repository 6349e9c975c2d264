/* SPDX-License-Identifier: MPL-2.0 */
/* What of a NIC's addresses the kernel would not take, or nobody could reach: said when the record is made, and not by a boot that fails. */
#include "node/nics_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static bool reached(const struct net_ip *gw, const struct net_ip *a)
{
	unsigned whole = a->prefix / 8, rest = a->prefix % 8;

	return gw->family == a->family && memcmp(gw->ip, a->ip, whole) == 0 && (!rest || (uint8_t)((gw->ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0);
}

/* One default route of each family, by a gateway that the kernel will take. */
static int check_gateways(const struct nic *n, struct err *e)
{
	for (size_t i = 0; i < n->v.ngateways; i++) {
		const struct net_ip *gw = &n->gateways[i];
		char text[INET6_ADDRSTRLEN] = "";
		bool on_link = gw->family == AF_INET6 && gw->ip[0] == 0xfe && (gw->ip[1] & 0xc0) == 0x80;

		inet_ntop(gw->family, gw->ip, text, sizeof text);
		for (size_t k = 0; k < i; k++)
			if (n->gateways[k].family == gw->family)
				return err_set(e, EINVAL, "nics: %s has two default gateways of one family, the second is %s", n->v.name, text);
		for (size_t k = 0; k < n->v.nips; k++) {
			if (n->ips[k].family == gw->family && memcmp(n->ips[k].ip, gw->ip, 16) == 0)
				return err_set(e, EINVAL, "nics: the gateway %s of %s is its own address", text, n->v.name);
			on_link |= reached(gw, &n->ips[k]);
		}
		on_link |= n->dhcp.family && reached(gw, &n->dhcp);
		if (!on_link)
			return err_set(e, EINVAL, "nics: the gateway %s of %s is in none of its networks", text, n->v.name);
	}
	return 0;
}

/* Why nobody can have this address, or NULL. */
static const char *no_host(const struct net_ip *a)
{
	static const uint8_t none[16], loop6[16] = {[15] = 1};
	uint32_t ip = (uint32_t)a->ip[0] << 24 | (uint32_t)a->ip[1] << 16 | (uint32_t)a->ip[2] << 8 | a->ip[3];
	uint32_t host = a->prefix < 31 ? UINT32_MAX >> a->prefix : 0;

	if (a->family == AF_INET6)
		return a->ip[0] == 0xff ? "a group's" : memcmp(a->ip, none, 16) == 0 ? "nobody's" : memcmp(a->ip, loop6, 16) == 0 ? "the loopback's" : NULL;
	if (a->ip[0] == 0)
		return "nobody's";
	if (a->ip[0] == 127)
		return "the loopback's";
	/* 240.0.0.0/4 is reserved, and used: the kernel takes all of it but the last */
	if (a->ip[0] >= 224 && a->ip[0] < 240)
		return "a group's";
	if (ip == UINT32_MAX)
		return "everybody's";
	if (host && (ip & host) == 0)
		return "its network's own";
	return host && (ip & host) == host ? "its network's broadcast" : NULL;
}

static int check_addresses(const struct nic *n, struct err *e)
{
	for (size_t i = 0; i < n->v.nips; i++) {
		const struct net_ip *a = &n->ips[i];
		const char *why = no_host(a);
		char text[INET6_ADDRSTRLEN] = "";

		inet_ntop(a->family, a->ip, text, sizeof text);
		if (why)
			return err_set(e, EINVAL, "nics: the address %s/%u of %s is %s", text, a->prefix, n->v.name, why);
		if (a->family == AF_INET6 && n->v.mtu < 1280)
			return err_set(e, EINVAL, "nics: %s of %s: IPv6 needs an MTU of 1280, and that of this NIC is %u", text, n->v.name, n->v.mtu);
	}
	return 0;
}

int nic_check(const struct nic *n, struct err *e)
{
	int r = check_addresses(n, e);

	return r < 0 ? r : check_gateways(n, e);
}
