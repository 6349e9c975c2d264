/* SPDX-License-Identifier: MPL-2.0 */
#include "model/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"

#define KBIT_MIN 100
#define KBIT_MAX 1000000000ULL

static const struct {
	const char *name;
	uint8_t proto;
	bool ports;
} transports[] = {{"tcp", 6, true}, {"udp", 17, true}, {"sctp", 132, true}, {"icmp", 1, false}, {"icmpv6", 58, false}};

int flow_name_check(const char *name, struct err *e)
{
	size_t n = strlen(name), ok = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	if (n == 0 || n > FLOW_NAME_MAX || ok != n || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", name[0]) || str_eq(name, "all"))
		return err_set(e, EINVAL, "flow \"%s\": a name has 1 to %d letters, digits, _ - . and a letter first, and is not \"all\"", name, FLOW_NAME_MAX);
	return 0;
}

/* ---- values ---- */

int flow_rate(const char *text, uint64_t *kbit)
{
	uint64_t whole = 0, milli = 0, unit = 1000, scale = 100;
	const char *p = text;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if ((whole = whole * 10 + (uint64_t)(*p - '0')) > KBIT_MAX)
			return -EINVAL;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && scale; p++, scale /= 10)
			milli += (uint64_t)(*p - '0') * scale;
	if (*p == 'K' || *p == 'k')
		unit = 1;
	else if (*p == 'G' || *p == 'g')
		unit = 1000000;
	else if (*p && *p != 'M' && *p != 'm')
		return -EINVAL;
	if (*p && p[1])
		return -EINVAL;
	whole = whole * unit + milli * unit / 1000;
	if (whole < KBIT_MIN || whole > KBIT_MAX)
		return -EINVAL;
	*kbit = whole;
	return 0;
}

static int read_port(const char *text, uint16_t *out)
{
	uint64_t n;

	if (str_to_u64(text, &n) < 0 || n < 1 || n > 65535)
		return -EINVAL;
	*out = (uint16_t)n;
	return 0;
}

static int read_byte(const char *text, size_t n, uint8_t *out)
{
	char one[8], *stop;
	unsigned long v;

	if (n == 0 || n >= sizeof one)
		return -EINVAL;
	memcpy(one, text, n);
	one[n] = 0;
	if (strspn(one, "0123456789abcdefABCDEFxX") != n)
		return -EINVAL;
	v = strtoul(one, &stop, str_starts(one, "0x") ? 16 : 10);
	if (*stop || v > 255)
		return -EINVAL;
	*out = (uint8_t)v;
	return 0;
}

/* "0x28" or "40:0xfc": the value and which of its bits count. */
static int read_ds(const char *text, uint8_t *ds, uint8_t *mask)
{
	const char *colon = strchr(text, ':');

	*mask = 0xff;
	if (read_byte(text, colon ? (size_t)(colon - text) : strlen(text), ds) < 0 || (colon && read_byte(colon + 1, strlen(colon + 1), mask) < 0))
		return -EINVAL;
	return *mask && !(*ds & ~*mask) ? 0 : -EINVAL;
}

/* An address or address/length; what is behind the length counts for nothing, and is cleared. */
static int read_net(const char *text, struct flow_net *out, int *family)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char addr[64];
	uint64_t bits;

	if (n >= sizeof addr)
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = 0;
	memset(out, 0, sizeof *out);
	*family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(*family, addr, out->ip) != 1)
		return -EINVAL;
	bits = *family == AF_INET ? 32 : 128;
	out->prefix = (unsigned)bits;
	if (slash && (str_to_u64(slash + 1, &bits) < 0 || bits < 1 || bits > out->prefix))
		return -EINVAL;
	out->prefix = (unsigned)bits;
	for (unsigned i = out->prefix; i < 128; i++)
		out->ip[i / 8] &= (uint8_t)~(0x80 >> i % 8);
	out->given = true;
	return 0;
}

static int read_transport(const char *text, uint8_t *proto)
{
	for (size_t i = 0; i < ARRAY_LEN(transports); i++)
		if (str_eq(text, transports[i].name)) {
			*proto = transports[i].proto;
			return 0;
		}
	return -EINVAL;
}

/* ---- one member ---- */

static int set_transport(struct flow *f, const char *v) { return read_transport(v, &f->proto); }
static int set_lport(struct flow *f, const char *v) { return read_port(v, &f->lport); }
static int set_rport(struct flow *f, const char *v) { return read_port(v, &f->rport); }
static int set_ds(struct flow *f, const char *v) { return read_ds(v, &f->ds, &f->dsmask); }
static int set_maxbw(struct flow *f, const char *v) { return flow_rate(v, &f->kbit); }

static int set_ip(struct flow *f, struct flow_net *n, const char *v)
{
	int family, r = read_net(v, n, &family);

	if (r == 0 && f->family && f->family != family)
		return -EAFNOSUPPORT;
	f->family = r == 0 ? family : f->family;
	return r;
}

static int set_lip(struct flow *f, const char *v) { return set_ip(f, &f->local, v); }
static int set_rip(struct flow *f, const char *v) { return set_ip(f, &f->remote, v); }

static int set_priority(struct flow *f, const char *v)
{
	static const char *const names[] = {"low", "medium", "high"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(v, names[i])) {
			f->priority = names[i]; /* what v is part of goes before the flow does */
			return 0;
		}
	return -EINVAL;
}

static const struct member {
	const char *name;
	enum flow_list of;
	int (*set)(struct flow *f, const char *value);
	const char *rule;
} members[] = {
	{"transport", FLOW_ATTRS, set_transport, "tcp, udp, sctp, icmp or icmpv6"},
	{"local_port", FLOW_ATTRS, set_lport, "1 to 65535"},
	{"remote_port", FLOW_ATTRS, set_rport, "1 to 65535"},
	{"local_ip", FLOW_ATTRS, set_lip, "an address or address/length"},
	{"remote_ip", FLOW_ATTRS, set_rip, "an address or address/length"},
	{"dsfield", FLOW_ATTRS, set_ds, "0 to 255 or 0x00 to 0xff, and :mask, with no bit outside the mask"},
	{"maxbw", FLOW_PROPS, set_maxbw, "100K to 1000G bits a second; a number alone is in M"},
	{"priority", FLOW_PROPS, set_priority, "low, medium or high"},
};

static const struct member *member(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (str_eq(name, members[i].name))
			return &members[i];
	return NULL;
}

int flow_parse(const char *list, enum flow_list what, json_t *flow, struct err *e)
{
	_free_ char *copy = xstrdup(list);
	char *save = NULL;
	unsigned n = 0;

	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save), n++) {
		char *value = strchr(one, '=');
		const struct member *m;
		struct flow probe = {0};

		if (value)
			*value++ = 0;
		m = member(one);
		if (!m || m->of != what)
			return err_set(e, EINVAL, "\"%s\" is no %s of a flow", one, what == FLOW_ATTRS ? "attribute" : "property");
		if (!value || m->set(&probe, value) < 0)
			return err_set(e, EINVAL, "%s: %s", one, m->rule);
		json_object_set_new(flow, m->name, json_string(value));
	}
	return n ? 0 : err_set(e, EINVAL, "no %s is given", what == FLOW_ATTRS ? "attribute" : "property");
}

static int check_together(const struct flow *f, struct err *e)
{
	bool ports = false;

	for (size_t i = 0; i < ARRAY_LEN(transports); i++)
		ports |= transports[i].proto == f->proto && transports[i].ports;
	if ((f->lport || f->rport) && !ports)
		return err_set(e, EINVAL, "flow %s: a port needs transport=tcp, udp or sctp", f->name);
	if (!f->proto && !f->lport && !f->rport && !f->local.given && !f->remote.given && !f->dsmask)
		return err_set(e, EINVAL, "flow %s: it needs an attribute", f->name);
	if ((f->proto == 1 && f->family == AF_INET6) || (f->proto == 58 && f->family == AF_INET))
		return err_set(e, EINVAL, "flow %s: icmp is of IPv4, icmpv6 of IPv6", f->name);
	return 0;
}

int flow_read(const char *name, const json_t *flow, struct flow *out, struct err *e)
{
	const char *vm = json_string_value(json_object_get(flow, "vm")) ?: "", *nic = json_string_value(json_object_get(flow, "nic")) ?: "";
	struct flow f = {0};
	int r = flow_name_check(name, e);

	if (r < 0)
		return r;
	snprintf(f.name, sizeof f.name, "%s", name);
	if (strlen(vm) >= sizeof f.vm || strlen(nic) >= sizeof f.nic)
		return err_set(e, EINVAL, "flow %s: no such link", name);
	snprintf(f.vm, sizeof f.vm, "%s", vm);
	snprintf(f.nic, sizeof f.nic, "%s", nic);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *v = json_string_value(json_object_get(flow, members[i].name));

		r = v ? members[i].set(&f, v) : 0;
		if (r == -EAFNOSUPPORT)
			return err_set(e, EINVAL, "flow %s: local_ip and remote_ip are of two families", name);
		if (r < 0)
			return err_set(e, EINVAL, "flow %s: %s: %s", name, members[i].name, members[i].rule);
	}
	r = check_together(&f, e);
	if (r == 0)
		*out = f;
	return r;
}

/* ---- of two ---- */

static unsigned particular(const struct flow *f)
{
	return ((f->proto != 0) + (f->lport != 0) + (f->rport != 0) + f->local.given + f->remote.given + (f->dsmask != 0)) * 1000u + f->local.prefix + f->remote.prefix;
}

int flow_order(const struct flow *a, const struct flow *b)
{
	unsigned x = particular(a), y = particular(b);

	return x != y ? (x > y ? -1 : 1) : strcmp(a->name, b->name);
}

static bool net_same(const struct flow_net *a, const struct flow_net *b)
{
	return a->given == b->given && a->prefix == b->prefix && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool flow_same(const struct flow *a, const struct flow *b)
{
	return a->family == b->family && a->proto == b->proto && a->ds == b->ds && a->dsmask == b->dsmask && a->lport == b->lport && a->rport == b->rport &&
	       net_same(&a->local, &b->local) && net_same(&a->remote, &b->remote);
}
