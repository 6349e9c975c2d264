/* SPDX-License-Identifier: MPL-2.0 */
#include "node/outside.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "model/netset.h"
#include "model/vm.h"
#include "net/netd.h"
#include "node/addr.h"
#include "node/places.h"
#include "node/uplink_in.h"

#define SECOND 1000000000ULL

static int lease_of(struct state *st, const json_t *nic, json_t **out, struct err *e)
{
	return state_lease_from(st, vm_str(nic, "mac") ?: "", vm_str(nic, "nic_tag") ?: "", (unsigned)vm_int(nic, "vlan_id", 0), out, e);
}

int outside_asks(struct state *st, const json_t *nic, struct err *e)
{
	_json_ json_t *o = NULL;
	struct netset *set;
	struct err miss = ERR_INIT;
	int r;

	if (!addr_asks(nic, "dhcp"))
		return 0;
	r = state_net_get(st, UPLINK_KIND, vm_str(nic, "nic_tag") ?: "", &o, &miss);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (e)
			*e = miss;
		return r;
	}
	set = xalloc(sizeof *set);
	r = addr_settings(st, nic, set, e);
	r = r < 0 ? r : r == 0 || !set->dhcp;
	free(set);
	return r;
}

static bool ip4(const char *text, struct net_ip *out)
{
	*out = (struct net_ip){.family = AF_INET, .prefix = 32};
	return text && inet_pton(AF_INET, text, out->ip) == 1;
}

static void add_routes(const json_t *said, struct nic *n)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(said, "routes"), i, o)
	{
		struct net_route *a = &n->routes[n->v.nroutes];
		struct net_ip via;

		if (n->v.nroutes == ROUTES_MAX)
			return;
		if (!ip4(vm_str(o, "to"), &a->to) || !ip4(vm_str(o, "via"), &via))
			continue;
		a->to.prefix = (unsigned)vm_int(o, "bits", 32);
		memset(a->via, 0, sizeof a->via);
		memcpy(a->via, via.ip, 4);
		n->v.nroutes++;
	}
}

static void add_gateway(const json_t *said, struct nic *n)
{
	struct net_ip gw;

	/* one that the record names goes first */
	for (size_t i = 0; i < n->v.ngateways; i++)
		if (n->gateways[i].family == AF_INET)
			return;
	if (n->v.ngateways < IPS_MAX && ip4(vm_str(said, "router"), &gw))
		n->gateways[n->v.ngateways++] = gw;
}

int outside_lease(struct state *st, const json_t *nic, struct nic *n, struct err *e)
{
	_json_ json_t *l = NULL;
	const json_t *said;
	int r = lease_of(st, nic, &l, e);

	if (r <= 0)
		return r;
	said = json_object_get(l, "outside");
	if (!json_is_true(json_object_get(l, "bound")) || n->v.nips == IPS_MAX || !ip4(vm_str(l, "ip"), &n->ips[n->v.nips]))
		return 0;
	n->ips[n->v.nips].prefix = (unsigned)vm_int(said, "bits", 32);
	n->dhcp = n->ips[n->v.nips++];
	if (vm_bool(nic, "primary", false))
		add_gateway(said, n);
	add_routes(said, n);
	return 0;
}

int outside_late(struct state *st, const char *uuid, const json_t *nic, bool lose, struct err *e)
{
	_json_ json_t *l = NULL;
	int r = lease_of(st, nic, &l, e);

	if (r <= 0)
		return r;
	if (!json_is_true(json_object_get(l, "bound")))
		return 0;
	if (str_eq(vm_str(l, "vm"), uuid) && (uint64_t)vm_int(json_object_get(l, "outside"), "until", 0) > clock_wall_ns() / SECOND)
		return 0;
	return lose ? state_lease_lose(st, vm_str(nic, "mac") ?: "", vm_str(l, "vm") ?: "", e) : 1;
}

char *outside_resolvers(struct state *st, const json_t *nic, char **domain)
{
	_json_ json_t *l = NULL;
	_buf_ struct buf b = BUF_INIT;
	const json_t *said, *o;
	size_t i;

	if (!nic || outside_asks(st, nic, NULL) <= 0 || lease_of(st, nic, &l, NULL) <= 0)
		return NULL;
	said = json_object_get(l, "outside");
	json_array_foreach(json_object_get(said, "dns"), i, o)
		buf_printf(&b, "nameserver %s\n", json_string_value(o) ?: "");
	if (!b.len)
		return NULL;
	if (domain && vm_str(said, "domain"))
		*domain = xstrdup(vm_str(said, "domain"));
	return xstrdup(buf_str(&b));
}

/* ---- who asks ---- */

/* What it is called to the server: one label, or nothing. */
static const char *name_of(const json_t *rec)
{
	static const char *const keys[] = {"hostname", "alias"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *s = vm_str(rec, keys[i]);
		size_t n = s ? strlen(s) : 0;
		bool ok = n > 0 && n < 64;

		for (size_t k = 0; ok && k < n; k++)
			ok = isalnum((unsigned char)s[k]) || s[k] == '-';
		if (ok)
			return s;
	}
	return "-";
}

/* Its own by which it asks: the first that the record lets it name. */
static const char *id_of(const json_t *nic)
{
	const char *hex = json_string_value(json_array_get(json_object_get(nic, "allowed_dhcp_cids"), 0));

	return hex && strlen(hex) >= 4 ? hex : "-";
}

static uint64_t boot_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int line_of(struct state *st, const char *uuid, uint64_t zoneid, const json_t *rec, const json_t *nic, struct buf *b, struct err *e)
{
	_json_ json_t *l = NULL;
	_free_ char *id = xstrdup(id_of(nic));
	/* a guest asks for itself */
	const char *how = brand_hvm(brand_find(vm_str(rec, "brand"))) ? "watch" : "ask";
	int r = lease_of(st, nic, &l, e);
	uint64_t now = clock_wall_ns() / SECOND, until;

	if (r < 0)
		return r;
	for (char *p = id; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	buf_printf(b, "zone %s %s %lld %s %s ", uuid, vm_str(nic, "mac") ?: "", (long long)vm_int(nic, "vlan_id", 0), name_of(rec), id);
	if (r == 0) {
		buf_printf(b, "- - %s %llu\n", how, (unsigned long long)zoneid);
		return 0;
	}
	until = json_is_true(json_object_get(l, "bound")) ? (uint64_t)vm_int(json_object_get(l, "outside"), "until", 0) : 0;
	buf_printf(b, "%s ", vm_str(l, "ip") ?: "-");
	if (until > now)
		buf_printf(b, "%llu", (unsigned long long)(boot_ms() + (until - now) * 1000));
	else
		buf_printf(b, "-");
	buf_printf(b, " %s %llu\n", how, (unsigned long long)zoneid);
	return 0;
}

int outside_tell(const struct ctx *c, struct state *st, struct net_switch *s, const char *uuid, uint64_t zoneid, const json_t *rec, struct err *e)
{
	struct places p;
	struct netd d = {c, s, places_find(c, &p), NETD_ASKS};
	struct buf lines[NICS_MAX];
	uint32_t sw[NICS_MAX];
	struct err why = ERR_INIT;
	const json_t *o;
	size_t i, n = 0;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		struct state_nictag t;
		size_t k = 0;

		if (r >= 0)
			r = outside_asks(st, o, e);
		if (r > 0)
			r = state_nictag_get(st, vm_str(o, "nic_tag") ?: "", &t, e) < 0 ? -ENOENT : 1;
		if (r <= 0)
			continue;
		while (k < n && sw[k] != t.id << 12)
			k++;
		if (k == NICS_MAX)
			break;
		if (k == n) {
			lines[n] = (struct buf)BUF_INIT;
			sw[n++] = t.id << 12;
		}
		r = line_of(st, uuid, zoneid, rec, o, &lines[k], e);
	}
	for (size_t k = 0; k < n; k++) {
		if (r >= 0)
			r = netd_put(&d, sw[k], "", uuid, buf_str(&lines[k]), e);
		buf_done(&lines[k]);
	}
	/* who asks for others keeps it neither from booting nor from going */
	if (r >= 0 && netd_drop_zone(&d, uuid, sw, n, &why) < 0)
		ctx_log(c, LOG_WARN, "VM %s: %s", uuid, why.msg);
	return r < 0 ? r : 0;
}
