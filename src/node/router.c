/* SPDX-License-Identifier: MPL-2.0 */
#include "node/router.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "net/nat.h"
#include "net/netd.h"
#include "net/router.h"
#include "node/addr.h"

#define MTU 1500 /* unless given, and the tag has no less */

int netset_name(struct state *st, const char *text, struct switch_name *out, struct err *e)
{
	const char *slash = strrchr(text, '/');
	char tag[STATE_TAG_NAME];
	uint64_t vlan = 0;
	int r;

	memset(out, 0, sizeof *out);
	if (strlen(text) < sizeof tag && st && state_nictag_get(st, text, &out->tag, NULL) == 0) {
		snprintf(out->name, sizeof out->name, "%s", text);
		return 0;
	}
	if (slash && slash > text && (size_t)(slash - text) < sizeof tag && str_to_u64(slash + 1, &vlan) == 0) {
		snprintf(tag, sizeof tag, "%.*s", (int)(slash - text), text);
		if (vlan > 4094)
			return err_set(e, EINVAL, "%s: a VLAN is 0 to 4094", text);
		r = st ? state_nictag_get(st, tag, &out->tag, e) : err_set(e, ENOENT, "nic tag \"%s\" does not exist", tag);
		out->vlan = (unsigned)vlan;
		snprintf(out->name, sizeof out->name, vlan ? "%s/%u" : "%s", tag, out->vlan);
		return r;
	}
	return err_set(e, ENOENT, "nic tag \"%s\" does not exist", text);
}

struct all {
	struct ctx *c;
	struct state *st;
	struct router_port *port;
	struct netset **set;
	size_t n;
	char *server; /* this node's uuid: link addresses of two nodes' routers on one wire differ */
};

static void json_done(json_t **j)
{
	json_decref(*j);
}

static void all_done(struct all *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->set[i]);
	free(a->set);
	free(a->port);
	free(a->server);
}

static void mac_of(const struct all *a, uint32_t sw, uint8_t mac[6])
{
	_free_ char *text = xprintf("%s %u", a->server ?: "", sw);
	uint64_t h = str_hash(text, strlen(text));

	mac[0] = 0x02;
	mac[1] = 0x72;
	memcpy(mac + 2, &h, 4);
}

static int load_one(const char *name, const json_t *value, void *arg)
{
	struct all *a = arg;
	struct netset *s = xalloc(sizeof *s);
	struct err why = ERR_INIT;
	struct state_nictag t;
	struct router_port *p;

	if (netset_parse(value, s, &why) < 0 || state_nictag_get(a->st, s->tag, &t, &why) < 0) {
		ctx_log(a->c, LOG_WARN, "switch %s: %s", name, why.msg);
		free(s);
		return 0;
	}
	if (!s->gateway.family && !s->gateway6.family) {
		free(s);
		return 0;
	}
	a->port = xrealloc(a->port, (a->n + 1) * sizeof *a->port);
	a->set = xrealloc(a->set, (a->n + 1) * sizeof(struct netset *));
	p = &a->port[a->n];
	*p = (struct router_port){.sw = t.id << 12 | s->vlan, .mtu = s->mtu ?: t.mtu < MTU ? t.mtu : MTU, .set = s};
	mac_of(a, p->sw, p->mac);
	a->set[a->n++] = s;
	return 0;
}

int router_target(struct state *st, uint32_t tag_id, const struct netset *s, struct netset_forward *f, struct err *e)
{
	_clean_(json_done) json_t *rec = NULL;
	const json_t *nic;
	char uuid[37];
	size_t i;
	int r = state_vm_find(st, f->to, uuid, e);

	if (r == 0)
		r = state_vm_get(st, uuid, &rec, NULL, NULL, e);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(rec, "nics"), i, nic)
	{
		const json_t *ip;
		struct state_nictag t;
		size_t k;

		if ((unsigned)vm_int(nic, "vlan_id", 0) != s->vlan || state_nictag_get(st, vm_str(nic, "nic_tag") ?: "", &t, NULL) < 0 || t.id != tag_id)
			continue;
		json_array_foreach(json_object_get(nic, "ips"), k, ip)
		{
			struct net_cidr c;

			if (netset_cidr(json_string_value(ip), true, &c) == 0 && netset_within(&s->subnet, &c)) {
				memcpy(f->ip, c.ip, 4);
				return 0;
			}
		}
		r = addr_leased(st, nic, f->ip, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return err_set(e, ENOENT, "VM %s has no address of this subnet on this switch", f->to);
}

static char *named_path(const struct ctx *c)
{
	return xprintf("%s/net/named", c->node.run);
}

/* Forwards to VMs by name: to what the VM's record says now. One to a VM that is not there has no rule. */
static int resolve(struct all *a, struct err *e)
{
	_free_ char *path = named_path(a->c);
	bool named = false;

	for (size_t i = 0; i < a->n; i++)
		for (unsigned k = 0; k < a->set[i]->nforwards; k++) {
			struct netset_forward *f = &a->set[i]->forwards[k];
			struct err why = ERR_INIT;

			if (!f->named)
				continue;
			named = true;
			if (router_target(a->st, a->port[i].sw >> 12, a->set[i], f, &why) < 0)
				ctx_log(a->c, LOG_INFO, "forward %s:%u: %s", f->udp ? "udp" : "tcp", f->port, why.msg);
		}
	if (named)
		return file_replace(path, "", 0, 0600, 0, e);
	return unlink(path) < 0 && errno != ENOENT ? err_sys(e, errno, "%s", path) : 0;
}

static int responders(struct all *a, struct net_switch *s, struct err *e)
{
	_free_ uint32_t *sw = xalloc((a->n + 1) * sizeof *sw);
	size_t n = 0;
	int r;

	for (size_t i = 0; i < a->n; i++)
		if (a->set[i]->dhcp || a->set[i]->ra || a->set[i]->dns)
			sw[n++] = a->port[i].sw;
	r = netd_sweep(s, NETD_SERVES, sw, n, e);
	for (size_t i = 0; r == 0 && i < a->n; i++)
		r = addr_sync(a->c, a->st, s, a->port[i].sw, a->port[i].mtu, a->set[i], e);
	return r;
}

static int make(struct all *a, struct net_switch *s, struct err *e)
{
	_fd_ int ns = router_open(a->c, true, e);
	struct nat nat;
	int r = ns < 0 ? ns : router_sweep(s, a->port, a->n, e);

	nat_init(&nat, a->c->node.name, a->port, a->n);
	if (r == 0)
		r = resolve(a, e);
	/* rules first: no zone reaches more than it is to for the time of the making */
	if (r == 0)
		r = nat_wanted(&nat) ? nat_up(&nat, s->dir, ns, e) : nat_down(&nat, s->dir, ns, e);
	for (size_t i = 0; r == 0 && i < a->n; i++)
		r = router_port(s, ns, &a->port[i], e);
	return r < 0 ? r : responders(a, s, e);
}

int router_away(struct ctx *c, struct net_switch *s, struct err *e)
{
	struct nat nat;
	int r;

	nat_init(&nat, c->node.name, NULL, 0);
	r = nat_down(&nat, s->dir, -1, e);
	return r < 0 ? r : router_remove(s, e);
}

int router_look(struct ctx *c, struct state *st, char host_if[16], struct buf *out, struct err *e)
{
	_clean_(all_done) struct all a = {.c = c, .st = st};
	struct nat nat;
	int r = state_net_each(st, "switch", load_one, &a, e);

	nat_init(&nat, c->node.name, a.port, a.n);
	snprintf(host_if, 16, "%s", nat.host_if);
	if (r < 0 || !nat_wanted(&nat))
		return r;
	r = nat_look(&nat, out, e);
	return r < 0 ? r : 1;
}

static int load(struct all *a, struct err *e)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->set[i]);
	a->n = 0;
	return state_net_each(a->st, "switch", load_one, a, e);
}

int router_sync(struct ctx *c, struct state *st, struct net_switch *s, struct err *e)
{
	_clean_(switch_close) struct net_switch mine = NET_SWITCH_INIT;
	_clean_(all_done) struct all a = {.c = c, .st = st};
	struct err miss = ERR_INIT;
	int r;

	state_kv_get(st, "server_uuid", &a.server, NULL);
	r = load(&a, e);
	if (r < 0)
		return r;
	if (!s) {
		r = switch_open(c, a.n > 0, &mine, &miss);
		if (r == -ENOENT)
			return 0;
		if (r < 0 && e)
			*e = miss;
		/* again: what was read before the lock may be older than what the command that had it has made */
		if (r == 0)
			r = load(&a, e);
		if (r < 0)
			return r;
		s = &mine;
	}
	return a.n ? make(&a, s, e) : router_away(c, s, e);
}

void router_changed(struct ctx *c, struct state *st)
{
	_free_ char *path = named_path(c);
	struct err e = ERR_INIT;

	if (access(path, F_OK) == 0 && router_sync(c, st, NULL, &e) < 0)
		ctx_log(c, LOG_WARN, "%s", e.msg);
}

int router_need(struct ctx *c, struct state *st, struct net_switch *s, uint32_t sw, const char *name, struct err *e)
{
	_free_ char *path = named_path(c);
	struct err miss = ERR_INIT;
	json_t *set = NULL;
	struct nat nat;
	int r = state_net_get(st, "switch", name, &set, &miss);

	json_decref(set);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && e)
		*e = miss;
	if (r == 0 && access(path, F_OK) < 0) /* with one to this VM by name, it is looked up again */
		r = router_has_port(s, sw, e);
	if (r == 0)
		return router_sync(c, st, s, e);
	nat_init(&nat, c->node.name, NULL, 0);
	if (r > 0)
		r = nat_refresh(&nat, s->dir, e);
	return r > 0 ? router_sync(c, st, s, e) : r;
}
