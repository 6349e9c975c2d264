/* SPDX-License-Identifier: MPL-2.0 */
/* What the responder of a switch is told: the switch's settings, and of each VM that runs a line with its names and addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/netset.h"
#include "model/vm.h"
#include "net/netd.h"
#include "node/addr.h"
#include "node/outside.h"
#include "node/places.h"

#define MTU 1500 /* unless given, and the tag has no less */

static bool serves(const struct netset *s)
{
	return s->dhcp || s->ra || s->dns;
}

static const char *text_ip(int family, const void *ip, char out[INET6_ADDRSTRLEN])
{
	return inet_ntop(family, ip, out, INET6_ADDRSTRLEN) ?: "";
}

static void put_cidr(struct buf *b, const char *word, const struct net_cidr *c, bool length)
{
	char t[INET6_ADDRSTRLEN];

	if (!c->family)
		return;
	buf_printf(b, "%s %s", word, text_ip(c->family, c->ip, t));
	if (length)
		buf_printf(b, "/%u", c->prefix);
	buf_puts(b, "\n");
}

/* nameserver lines of the host's own resolv.conf; those with a scope mean something to the host alone. */
static void host_resolvers(struct buf *b)
{
	_buf_ struct buf f = BUF_INIT;
	char *save = NULL, addr[64];
	struct net_cidr c;

	if (file_read(AT_FDCWD, "/etc/resolv.conf", 1 << 16, &f, NULL) < 0 || !f.p)
		return;
	for (char *l = strtok_r(f.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (sscanf(l, " nameserver %63s", addr) == 1 && netset_cidr(addr, true, &c) == 0)
			put_cidr(b, "forward", &c, false);
}

static void head_of(const struct netset *s, uint32_t mtu, struct buf *b)
{
	put_cidr(b, "server", &s->gateway, false);
	put_cidr(b, "server6", &s->gateway6, false);
	put_cidr(b, "subnet", &s->subnet, true);
	put_cidr(b, "subnet6", &s->subnet6, true);
	if (s->nat) /* else it leads nowhere; nor is there a way out by IPv6 yet */
		put_cidr(b, "router", &s->gateway, false);
	buf_printf(b, "mtu %u\n", mtu);
	if (s->domain[0])
		buf_printf(b, "domain %s\n", s->domain);
	if (s->dns) {
		put_cidr(b, "dns", &s->gateway, false);
		put_cidr(b, "dns", &s->gateway6, false);
	}
	for (unsigned i = 0; i < s->nresolvers; i++)
		put_cidr(b, s->dns ? "forward" : "dns", &s->resolvers[i], false);
	if (s->dns && !s->nresolvers && s->nat)
		host_resolvers(b);
	buf_printf(b, "%s%s%s", s->dhcp ? "serve dhcp\n" : "", s->ra ? "serve ra\n" : "", s->dns ? "serve dns\n" : "");
}

static void names_of(const char *uuid, const json_t *rec, struct buf *b)
{
	const char *alias = vm_str(rec, "alias"), *host = vm_str(rec, "hostname");

	if (alias && !strpbrk(alias, ", \n"))
		buf_printf(b, "%s,", alias);
	if (host && !str_eq(host, alias) && !str_eq(host, uuid) && !strpbrk(host, ", \n"))
		buf_printf(b, "%s,", host);
	buf_puts(b, uuid);
}

int addr_formed(const json_t *nic, const uint8_t net[8], char out[INET6_ADDRSTRLEN])
{
	uint8_t mac[6];

	if (nic_mac(nic, mac) < 0)
		return -EINVAL;
	uint8_t ip[16] = {[8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};

	memcpy(ip, net, 8);
	text_ip(AF_INET6, ip, out);
	return 0;
}

/* The line of one NIC. Its addresses begin with a comma, which the reader skips. */
static int line_of(struct state *st, const char *uuid, const json_t *rec, const json_t *nic, const struct netset *s, struct buf *b, struct err *e)
{
	const char *mac = vm_str(nic, "mac") ?: "";
	char t[INET6_ADDRSTRLEN];
	const json_t *o;
	uint8_t ip[4];
	size_t i;
	int r = addr_leased(st, nic, ip, e);

	if (r < 0)
		return r;
	buf_printf(b, "zone %s %s %s ", uuid, mac, r ? text_ip(AF_INET, ip, t) : "-");
	names_of(uuid, rec, b);
	buf_puts(b, " -");
	json_array_foreach(json_object_get(nic, "ips"), i, o)
	{
		const char *a = json_string_value(o) ?: "";

		if (strchr(a, '/'))
			buf_printf(b, ",%.*s", (int)strcspn(a, "/"), a);
	}
	if (r)
		buf_printf(b, ",%s", text_ip(AF_INET, ip, t));
	if (s->ra && addr_asks(nic, "addrconf") && addr_formed(nic, s->subnet6.ip, t) == 0)
		buf_printf(b, ",%s", t);
	buf_puts(b, "\n");
	return 0;
}

/* All lines of a VM for one switch. */
static int lines_of(struct state *st, const char *uuid, const json_t *rec, const char *name, const struct netset *s, struct buf *b, struct err *e)
{
	const json_t *o;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		_free_ char *on = addr_switch(o);

		if (r == 0 && str_eq(on, name))
			r = line_of(st, uuid, rec, o, s, b, e);
	}
	return r;
}

/* ---- told ---- */

static int tell(const struct ctx *c, struct net_switch *s, uint32_t sw, const char *head, const char *uuid, const char *lines, struct err *e)
{
	struct places p;

	return netd_put(&(struct netd){c, s, places_find(c, &p), NETD_SERVES}, sw, head, uuid, lines, e);
}

static int drop(const struct ctx *c, struct net_switch *s, const char *uuid, const uint32_t *but, size_t nbut, struct err *e)
{
	struct places p;

	return netd_drop_zone(&(struct netd){c, s, places_find(c, &p), NETD_SERVES}, uuid, but, nbut, e);
}

/* 1 and the switch if it has a responder, which knows this VM now. */
static int tell_switch(const struct ctx *c, struct state *st, struct net_switch *s, const char *uuid, const json_t *rec, const json_t *nic, uint32_t *sw, struct err *e)
{
	struct netset *set = xalloc(sizeof *set);
	_free_ char *name = addr_switch(nic);
	_buf_ struct buf head = BUF_INIT, lines = BUF_INIT;
	struct state_nictag t;
	int r = addr_settings(st, nic, set, e);

	if (r > 0 && !serves(set))
		r = 0;
	if (r > 0 && (r = state_nictag_get(st, vm_str(nic, "nic_tag") ?: "", &t, e)) >= 0) {
		*sw = t.id << 12 | set->vlan;
		head_of(set, set->mtu ?: t.mtu < MTU ? t.mtu : MTU, &head);
		r = lines_of(st, uuid, rec, name, set, &lines, e);
		if (r == 0)
			r = tell(c, s, *sw, buf_str(&head), uuid, buf_str(&lines), e);
		if (r == 0)
			r = 1;
	}
	free(set);
	return r;
}

int addr_tell(const struct ctx *c, struct state *st, struct net_switch *s, const char *uuid, uint64_t zoneid, const json_t *rec, struct err *e)
{
	const json_t *list = json_object_get(rec, "nics"), *o;
	uint32_t sw[NICS_MAX];
	struct err why = ERR_INIT;
	size_t i, n = 0;

	json_array_foreach(list, i, o)
	{
		int r = n < NICS_MAX ? tell_switch(c, st, s, uuid, rec, o, &sw[n], e) : 0;

		if (r < 0)
			return r;
		n += r > 0;
	}
	/* a responder of a switch that it has no NIC on keeps it neither from booting nor from going */
	if (drop(c, s, uuid, sw, n, &why) < 0)
		ctx_log(c, LOG_WARN, "VM %s: %s", uuid, why.msg);
	/* what it has from outside outlives its end: it is given back when the VM is stopped, and not while it is booted again */
	return rec ? outside_tell(c, st, s, uuid, zoneid, rec, e) : 0;
}

/* ---- when settings change ---- */

struct all {
	struct state *st;
	const char *name;
	const struct netset *set;
	struct buf *lines;
	struct err *e;
};

static int running_zone(const char *uuid, const struct zone_run *z, void *arg)
{
	struct all *a = arg;
	json_t *rec = NULL;
	int r = z->running ? state_vm_get(a->st, uuid, &rec, NULL, NULL, NULL) : -ENOENT;

	if (r == 0)
		r = lines_of(a->st, uuid, rec, a->name, a->set, a->lines, a->e);
	json_decref(rec);
	return r == -ENOENT ? 0 : r;
}

int addr_sync(const struct ctx *c, struct state *st, struct net_switch *s, uint32_t sw, uint32_t mtu, const struct netset *set, struct err *e)
{
	_free_ char *name = set->vlan ? xprintf("%s/%u", set->tag, set->vlan) : xstrdup(set->tag);
	_buf_ struct buf head = BUF_INIT, lines = BUF_INIT;
	struct all a = {st, name, set, &lines, e};
	int r = 0;

	if (!serves(set))
		return 0;
	head_of(set, mtu, &head);
	/* those that run since before it was asked for */
	if (!netd_has(s, sw))
		r = zone_each(c, running_zone, &a, e);
	return r < 0 ? r : tell(c, s, sw, buf_str(&head), NULL, buf_str(&lines), e);
}
