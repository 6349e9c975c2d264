/* SPDX-License-Identifier: MPL-2.0 */
#include "model/netset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "model/check.h"

enum kind { NET4, ADDR4, NET6, ADDR6, FLAG, ADDRS, NAME, SIZE, FORWARDS };

static const struct {
	const char *name;
	enum kind kind;
	const char *rule;
} keys[] = {
	{"subnet", NET4, "an IPv4 network like 10.77.0.0/24, of 8 to 30 bits"},
	{"gateway", ADDR4, "an IPv4 address"},
	{"subnet6", NET6, "an IPv6 network like fd00:77::/64, of 8 to 126 bits"},
	{"gateway6", ADDR6, "an IPv6 address"},
	{"nat", FLAG, "on or off"},
	{"dhcp", FLAG, "on or off"},
	{"ra", FLAG, "on or off"},
	{"dns", FLAG, "on or off"},
	{"resolvers", ADDRS, "at most 16 addresses, separated by commas"},
	{"domain", NAME, "a domain name (RFC 1123)"},
	{"mtu", SIZE, "576 to 9000"},
	{"forwards", FORWARDS, "at most 64 like tcp:8080=web:80 or udp:192.0.2.1:53=10.0.0.5:53, separated by commas"},
};

const char *netset_key(size_t i)
{
	return i < ARRAY_LEN(keys) ? keys[i].name : NULL;
}

/* ---- addresses ---- */

int netset_cidr(const char *text, bool len_optional, struct net_cidr *out)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	size_t len = !text ? 0 : slash ? (size_t)(slash - text) : strlen(text);
	struct net_cidr c = {0};
	char addr[64];
	uint64_t n;

	if (len == 0 || len >= sizeof addr || (!slash && !len_optional))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = 0;
	c.family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(c.family, addr, c.ip) != 1)
		return -EINVAL;
	n = c.prefix = c.family == AF_INET ? 32 : 128;
	if (slash && (str_to_u64(slash + 1, &n) < 0 || n > c.prefix))
		return -EINVAL;
	c.prefix = (unsigned)n;
	*out = c;
	return 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned n)
{
	return memcmp(a, b, n / 8) == 0 && (n % 8 == 0 || ((a[n / 8] ^ b[n / 8]) >> (8 - n % 8)) == 0);
}

bool netset_overlap(const struct net_cidr *a, const struct net_cidr *b)
{
	return a->family && a->family == b->family && same_bits(a->ip, b->ip, a->prefix < b->prefix ? a->prefix : b->prefix);
}

bool netset_within(const struct net_cidr *net, const struct net_cidr *addr)
{
	return net->family && net->family == addr->family && same_bits(net->ip, addr->ip, net->prefix);
}

/* Bits behind the prefix: 0 = all are 0, 1 = all are 1, -1 = neither. */
static int host_bits(const struct net_cidr *c, unsigned prefix)
{
	unsigned bits = c->family == AF_INET ? 32 : 128, ones = 0;

	for (unsigned i = prefix; i < bits; i++)
		ones += c->ip[i / 8] >> (7 - i % 8) & 1;
	return ones == 0 ? 0 : ones == bits - prefix ? 1 : -1;
}

/* Where networks of hosts may lie: no loopback, no multicast, no link-local, not the network "this". */
static bool usable(const struct net_cidr *c)
{
	static const char *const no4[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"};
	static const char *const no6[] = {"::/8", "fe80::/10", "ff00::/8"};
	const char *const *no = c->family == AF_INET ? no4 : no6;
	size_t n = c->family == AF_INET ? ARRAY_LEN(no4) : ARRAY_LEN(no6);

	for (size_t i = 0; i < n; i++) {
		struct net_cidr bad;

		if (netset_cidr(no[i], false, &bad) == 0 && netset_overlap(&bad, c))
			return false;
	}
	return true;
}

static int check_net(const char *v, int family, struct net_cidr *out)
{
	struct net_cidr c;

	if (netset_cidr(v, false, &c) < 0 || c.family != family || host_bits(&c, c.prefix) != 0 || !usable(&c))
		return -EINVAL;
	if (c.prefix < 8 || c.prefix > (family == AF_INET ? 30 : 126))
		return -EINVAL;
	*out = c;
	return 0;
}

static int check_addr(const char *v, int family, struct net_cidr *out)
{
	struct net_cidr c;

	if (!v || strchr(v, '/') || netset_cidr(v, true, &c) < 0 || (family && c.family != family))
		return -EINVAL;
	*out = c;
	return 0;
}

/* ---- forwards ---- */

/* 1 to 65535. Ends at the end of the text. */
static int port_of(const char *s, uint16_t *out)
{
	uint64_t n;

	if (str_to_u64(s, &n) < 0 || n == 0 || n > 65535 || s[0] == '0')
		return -EINVAL;
	*out = (uint16_t)n;
	return 0;
}

static int target(char *s, struct netset_forward *f)
{
	char *colon = strrchr(s, ':');
	json_t *name;
	int r;

	if (!colon || colon == s || (size_t)(colon - s) >= sizeof f->to || port_of(colon + 1, &f->to_port) < 0)
		return -EINVAL;
	*colon = 0;
	strcpy(f->to, s);
	if (inet_pton(AF_INET, s, f->ip) == 1)
		return 0;
	f->named = true;
	name = json_string(s);
	r = name ? check_alias(name) : -EINVAL;
	json_decref(name);
	return r;
}

int netset_forward(const char *text, struct netset_forward *out)
{
	struct netset_forward f = {.any = true};
	char s[256], *eq, *colon, *host;

	if (!text || strlen(text) >= sizeof s)
		return -EINVAL;
	strcpy(s, text);
	if (!str_starts(s, "tcp:") && !str_starts(s, "udp:"))
		return -EINVAL;
	f.udp = s[0] == 'u';
	host = s + 4;
	eq = strchr(host, '=');
	if (!eq)
		return -EINVAL;
	*eq = 0;
	colon = strrchr(host, ':');
	if (colon) {
		*colon = 0;
		f.any = false;
		if (inet_pton(AF_INET, host, f.address) != 1 || f.address[0] == 0 || f.address[0] == 127 || f.address[0] >= 224)
			return -EINVAL;
	}
	if (port_of(colon ? colon + 1 : host, &f.port) < 0 || target(eq + 1, &f) < 0)
		return -EINVAL;
	*out = f;
	return 0;
}

/* ---- from text ---- */

static json_t *list_of(const char *v, enum kind kind)
{
	json_t *list = json_array();
	_free_ char *copy = xstrdup(v);
	char *save = NULL;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		struct netset_forward f;
		struct net_cidr c;

		if ((kind == ADDRS ? check_addr(w, 0, &c) : netset_forward(w, &f)) < 0 ||
		    json_array_size(list) == (kind == ADDRS ? NETSET_RESOLVERS : NETSET_FORWARDS)) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, json_string(w));
	}
	return list;
}

static json_t *flag_of(const char *v)
{
	if (str_eq(v, "on") || str_eq(v, "true") || str_eq(v, "1"))
		return json_true();
	return str_eq(v, "off") || str_eq(v, "false") || str_eq(v, "0") ? json_false() : NULL;
}

static json_t *value_of(enum kind kind, const char *v)
{
	struct net_cidr c;
	json_t *s = NULL;
	uint64_t n;

	switch (kind) {
	case NET4:
	case NET6:
		return check_net(v, kind == NET4 ? AF_INET : AF_INET6, &c) == 0 ? json_string(v) : NULL;
	case ADDR4:
	case ADDR6:
		return check_addr(v, kind == ADDR4 ? AF_INET : AF_INET6, &c) == 0 ? json_string(v) : NULL;
	case FLAG:
		return flag_of(v);
	case ADDRS:
	case FORWARDS:
		return list_of(v, kind);
	case NAME:
		s = json_string(v);
		if (s && check_domain(s) == 0)
			return s;
		json_decref(s);
		return NULL;
	case SIZE:
		return str_to_u64(v, &n) == 0 && n >= 576 && n <= 9000 ? json_integer((json_int_t)n) : NULL;
	}
	return NULL;
}

int netset_put(json_t *set, const char *key, const char *value, struct err *e)
{
	const char *near = NULL;
	unsigned best = 3;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		unsigned far = str_distance(key, keys[i].name);
		json_t *v;

		if (!str_eq(key, keys[i].name)) {
			if (far < best) {
				best = far;
				near = keys[i].name;
			}
			continue;
		}
		if (!*value) {
			json_object_del(set, key);
			return 0;
		}
		v = value_of(keys[i].kind, value);
		if (!v)
			return err_set(e, EINVAL, "%s=%s: %s", key, value, keys[i].rule);
		return json_object_set_new(set, key, v) < 0 ? err_sys(e, ENOMEM, "%s", key) : 0;
	}
	err_set(e, EINVAL, "a switch has no setting \"%s\"", key);
	if (near)
		err_hint(e, "Did you mean %s?", near);
	return -EINVAL;
}

static void first_address(json_t *set, const char *net, const char *gateway)
{
	const char *text = json_string_value(json_object_get(set, net));
	struct net_cidr c;
	char out[INET6_ADDRSTRLEN];

	if (!text || json_object_get(set, gateway) || netset_cidr(text, false, &c) < 0)
		return;
	c.ip[c.family == AF_INET ? 3 : 15] |= 1;
	inet_ntop(c.family, c.ip, out, sizeof out);
	json_object_set_new(set, gateway, json_string(out));
}

void netset_defaults(json_t *set)
{
	first_address(set, "subnet", "gateway");
	first_address(set, "subnet6", "gateway6");
}

/* ---- to plain data ---- */

static int bad(struct err *e, const char *key)
{
	return err_set(e, EINVAL, "the setting %s is not of its form", key);
}

static int get_net(const json_t *set, const char *net, const char *gateway, int family, struct net_cidr *n, struct net_cidr *g, struct err *e)
{
	const char *nt = json_string_value(json_object_get(set, net)), *gt = json_string_value(json_object_get(set, gateway));

	if (nt && check_net(nt, family, n) < 0)
		return bad(e, net);
	if (gt && check_addr(gt, family, g) < 0)
		return bad(e, gateway);
	if (gt && !nt)
		return err_set(e, EINVAL, "%s needs %s", gateway, net);
	if (!gt)
		return nt ? err_set(e, EINVAL, "%s needs %s", net, gateway) : 0;
	if (!netset_within(n, g))
		return err_set(e, EINVAL, "%s %s is outside %s %s", gateway, gt, net, nt);
	if (host_bits(g, n->prefix) == 0 || (family == AF_INET && host_bits(g, n->prefix) == 1))
		return err_set(e, EINVAL, "%s %s is the network's own or its broadcast address", gateway, gt);
	g->prefix = n->prefix;
	return 0;
}

bool netset_same_port(const struct netset_forward *a, const struct netset_forward *b)
{
	return a->udp == b->udp && a->port == b->port && (a->any || b->any || memcmp(a->address, b->address, 4) == 0);
}

static int get_lists(const json_t *set, struct netset *out, struct err *e)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(set, "resolvers"), i, v)
	{
		if (i == NETSET_RESOLVERS || check_addr(json_string_value(v), 0, &out->resolvers[i]) < 0)
			return bad(e, "resolvers");
		out->nresolvers = (unsigned)i + 1;
	}
	json_array_foreach(json_object_get(set, "forwards"), i, v)
	{
		struct netset_forward *f = &out->forwards[i];

		if (i == NETSET_FORWARDS || netset_forward(json_string_value(v), f) < 0)
			return bad(e, "forwards");
		out->nforwards = (unsigned)i + 1;
		for (size_t k = 0; k < i; k++)
			if (netset_same_port(f, &out->forwards[k]))
				return err_set(e, EINVAL, "forwards: %s:%u is there twice", f->udp ? "udp" : "tcp", f->port);
		if (f->named)
			continue;
		if (!netset_within(&out->subnet, &(struct net_cidr){AF_INET, 32, {f->ip[0], f->ip[1], f->ip[2], f->ip[3]}}))
			return err_set(e, EINVAL, "forwards: %s is outside the subnet", f->to);
	}
	return 0;
}

static int fits(const struct netset *s, struct err *e)
{
	if (s->nat && !s->subnet.family)
		return err_set(e, EINVAL, "nat needs subnet");
	if (s->dhcp && !s->subnet.family)
		return err_set(e, EINVAL, "dhcp needs subnet");
	if (s->ra && !s->subnet6.family)
		return err_set(e, EINVAL, "ra needs subnet6");
	if (s->ra && s->subnet6.prefix != 64)
		return err_set(e, EINVAL, "ra needs a subnet6 of 64 bits: hosts form the other half of their addresses");
	if (s->dns && !s->subnet.family && !s->subnet6.family)
		return err_set(e, EINVAL, "dns needs subnet or subnet6");
	if (s->nforwards && !s->nat)
		return err_set(e, EINVAL, "forwards needs nat=on: they come the way that it makes");
	if (s->mtu && s->mtu < 1280 && s->subnet6.family)
		return err_set(e, EINVAL, "mtu %u: IPv6 needs 1280", s->mtu);
	return 0;
}

int netset_parse(const json_t *set, struct netset *out, struct err *e)
{
	const char *tag = json_string_value(json_object_get(set, "tag")), *domain = json_string_value(json_object_get(set, "domain"));
	struct netset s = {0};
	int r;

	if (tag && strlen(tag) < sizeof s.tag)
		strcpy(s.tag, tag);
	s.vlan = (unsigned)json_integer_value(json_object_get(set, "vlan_id"));
	s.nat = json_is_true(json_object_get(set, "nat"));
	s.dhcp = json_is_true(json_object_get(set, "dhcp"));
	s.ra = json_is_true(json_object_get(set, "ra"));
	s.dns = json_is_true(json_object_get(set, "dns"));
	s.mtu = (uint32_t)json_integer_value(json_object_get(set, "mtu"));
	if (domain && strlen(domain) >= sizeof s.domain)
		return bad(e, "domain");
	if (domain)
		strcpy(s.domain, domain);
	r = get_net(set, "subnet", "gateway", AF_INET, &s.subnet, &s.gateway, e);
	if (r == 0)
		r = get_net(set, "subnet6", "gateway6", AF_INET6, &s.subnet6, &s.gateway6, e);
	if (r == 0)
		r = get_lists(set, &s, e);
	if (r == 0)
		r = fits(&s, e);
	if (r == 0)
		*out = s;
	return r;
}
