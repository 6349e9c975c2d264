/* SPDX-License-Identifier: MPL-2.0 */
#include "node/flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "net/vnic.h"
#include "node/nics_in.h"
#include "zone/usage_net.h"

#define FLOWS_MAX 1024 /* of a node, when they are read at once */

struct all {
	struct flow *f;
	size_t n, room;
	const char *uuid, *nic;
	struct err *e;
};

static int keep(const char *name, const json_t *v, void *arg)
{
	struct all *a = arg;
	struct flow one;
	int r = flow_read(name, v, &one, a->e);

	if (r < 0)
		return r;
	if ((a->uuid && !str_eq(a->uuid, one.vm)) || (a->nic && !str_eq(a->nic, one.nic)))
		return 0;
	if (a->n == a->room) {
		a->room = a->room ? a->room * 2 : 32;
		a->f = xrealloc(a->f, a->room * sizeof *a->f);
	}
	a->f[a->n++] = one;
	return 0;
}

static int by_order(const void *a, const void *b)
{
	return flow_order(a, b);
}

static int read_all(struct state *st, const char *uuid, const char *nic, struct all *out, struct err *e)
{
	int r;

	*out = (struct all){.uuid = uuid, .nic = nic, .e = e};
	r = state_net_each(st, "flow", keep, out, e);
	if (r < 0) {
		free(out->f);
		out->f = NULL;
		return r;
	}
	if (out->n)
		qsort(out->f, out->n, sizeof *out->f, by_order);
	return 0;
}

int flow_each(struct state *st, const char *uuid, const char *nic, int (*each)(const struct flow *, void *arg), void *arg, struct err *e)
{
	struct all a;
	int r = read_all(st, uuid, nic, &a, e);

	for (size_t i = 0; r >= 0 && i < a.n; i++)
		r = each(&a.f[i], arg);
	free(a.f);
	return r;
}

int flow_get(struct state *st, const char *name, json_t **out, struct err *e)
{
	return state_net_get(st, "flow", name, out, e);
}

/* ---- at a port ---- */

static void put_net(const struct flow_net *n, uint32_t ip[4], uint32_t mask[4])
{
	uint8_t m[16] = {0};

	if (!n->given)
		return;
	for (unsigned i = 0; i < n->prefix; i++)
		m[i / 8] |= (uint8_t)(0x80 >> i % 8);
	memcpy(ip, n->ip, 16);
	memcpy(mask, m, 16);
}

static struct sw_shape_flow compiled(const struct flow *f, int prio)
{
	struct sw_shape_flow out = {.prio = (uint32_t)(f->priority ? shape_prio(f->priority) : prio), .kbit = f->kbit, .proto = f->proto, .ds = f->ds,
				    .dsmask = f->dsmask, .lport = htons(f->lport), .rport = htons(f->rport)};

	out.family = f->family == AF_INET ? 4 : f->family == AF_INET6 ? 6 : 0;
	put_net(&f->local, out.lip, out.lmask);
	put_net(&f->remote, out.rip, out.rmask);
	snprintf(out.name, sizeof out.name, "%s", f->name);
	return out;
}

static int shape_with(struct net_switch *s, const json_t *nic, uint32_t ifindex, const struct all *a, struct err *e)
{
	struct sw_shape_flow flow[SHAPE_FLOWS] = {0};
	int prio = shape_prio(vm_str(nic, "priority"));

	if (a->n > SHAPE_FLOWS)
		return err_set(e, E2BIG, "a VNIC has at most %d flows", SHAPE_FLOWS);
	for (size_t i = 0; i < a->n; i++)
		flow[i] = compiled(&a->f[i], prio);
	return shape_set_all(s, ifindex, (uint64_t)vm_int(nic, "maxbw", 0) * 1000, (enum shape_prio)prio, flow, (uint32_t)a->n, e);
}

int nic_shape(struct state *st, struct net_switch *s, const char *uuid, const json_t *nic, uint32_t ifindex, struct err *e)
{
	struct all a;
	int r = read_all(st, uuid, vm_str(nic, "interface") ?: "net0", &a, e);

	if (r == 0)
		r = shape_with(s, nic, ifindex, &a, e);
	free(a.f);
	return r;
}

const json_t *flow_nic(const json_t *rec, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (str_eq(vm_str(o, "interface") ?: "net0", name))
			return o;
	return NULL;
}

/* ---- what makes sense ---- */

static int check_nic(const json_t *nic, struct err *e)
{
	const char *prio = vm_str(nic, "priority");

	if (vm_int(nic, "maxbw", 0) == 0 && prio && !str_eq(prio, "medium")) {
		err_set(e, EINVAL, "nics: the priority of %s would do nothing: it says who goes first below a ceiling, and it has no maxbw", vm_str(nic, "interface") ?: "net0");
		return err_hint(e, "Give it a maxbw, or the priority medium.");
	}
	return 0;
}

static int check_flow(const struct flow *f, const json_t *nic, struct err *e)
{
	if (!nic)
		return err_set(e, EBUSY, "nics: %s has the flow %s, and may not go before it (flowadm remove-flow %s)", f->nic, f->name, f->name);
	if (f->priority && !f->kbit && vm_int(nic, "maxbw", 0) == 0)
		return err_set(e, EINVAL, "flow %s: its priority would do nothing: neither it nor %s has a maxbw", f->name, f->nic);
	return 0;
}

int nic_shape_check(struct state *st, const json_t *rec, struct err *e)
{
	const char *uuid = vm_str(rec, "uuid");
	const json_t *o;
	struct all a;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (r == 0)
			r = check_nic(o, e);
	if (r < 0 || !uuid || !st)
		return r;
	r = read_all(st, uuid, NULL, &a, e);
	for (i = 0; r == 0 && i < a.n; i++)
		r = check_flow(&a.f[i], flow_nic(rec, a.f[i].nic), e);
	free(a.f);
	return r;
}

/* ---- changed ---- */

int flow_port(const struct ctx *c, struct net_switch *s, const char *uuid, const json_t *nic, uint32_t *ifindex, struct err *e)
{
	_free_ char *path = nics_list(c, uuid);
	_buf_ struct buf b = BUF_INIT;
	uint8_t mac[6];
	struct nic_line l;
	struct sw_port p;
	int r = file_read(AT_FDCWD, path, 1 << 16, &b, NULL);

	if (r == -ENOENT || nic_mac(nic, mac) < 0)
		return 0;
	if (r < 0)
		return err_sys(e, r, "%s", path);
	for (const char *t = buf_str(&b); nic_line(&t, &l);)
		if (l.ifindex && !l.counted && vnic_port(s, l.ifindex, &p) == 1 && memcmp(p.mac, mac, 6) == 0) {
			*ifindex = l.ifindex;
			return 1;
		}
	return 0;
}

/* Both before anything is kept. */
static int check_change(struct state *st, const char *name, const json_t *flow, const json_t *nic, struct err *e)
{
	struct flow one;
	struct all a;
	int r = flow_read(name, flow, &one, e);

	if (r == 0)
		r = check_flow(&one, nic, e);
	if (r == 0)
		r = read_all(st, one.vm, one.nic, &a, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < a.n; i++)
		if (!str_eq(a.f[i].name, name) && flow_same(&a.f[i], &one))
			r = err_set(e, EEXIST, "flow %s says the same of packets of this VNIC", a.f[i].name);
	for (size_t i = 0; i < a.n; i++)
		if (str_eq(a.f[i].name, name))
			a.n--;
	if (r == 0 && a.n >= SHAPE_FLOWS)
		r = err_set(e, E2BIG, "a VNIC has at most %d flows", SHAPE_FLOWS);
	free(a.f);
	return r;
}

static int put(struct state *st, const char *name, const json_t *flow, struct err *e)
{
	return flow ? state_net_put(st, "flow", name, flow, e) : state_net_delete(st, "flow", name, e);
}

static int in_force(const struct ctx *c, struct state *st, struct net_switch *s, const json_t *nic, const char *uuid, struct err *e)
{
	uint32_t ifindex;
	int r = flow_port(c, s, uuid, nic, &ifindex, e);

	return r <= 0 ? r : nic_shape(st, s, uuid, nic, ifindex, e);
}

/*
 * While a flow is changed: whose NICs they are, in a file below the switch's lock. Who finds it with the lock in hand comes after a command that was
 * killed between the record and the kernel.
 */
static char *pending(const struct ctx *c)
{
	return xprintf("%s/net/flow-change", c->node.run);
}

static int begin(const struct ctx *c, const char *uuid, struct err *e)
{
	_free_ char *path = pending(c);

	return file_replace(path, uuid, strlen(uuid), 0600, 0, e);
}

static void end(const struct ctx *c)
{
	_free_ char *path = pending(c);

	unlink(path);
}

static int settle(const struct ctx *c, struct state *st, struct net_switch *s, struct err *e)
{
	_free_ char *path = pending(c);
	_buf_ struct buf b = BUF_INIT;
	json_t *rec = NULL;
	const json_t *o;
	size_t i;
	int r = file_read(AT_FDCWD, path, 64, &b, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(e, r, "%s", path);
	r = uuid_valid(buf_str(&b)) ? state_vm_get(st, buf_str(&b), &rec, NULL, NULL, NULL) : -ENOENT;
	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (r >= 0)
			r = in_force(c, st, s, o, buf_str(&b), e);
	json_decref(rec);
	if (r < 0 && r != -ENOENT)
		return err_add(e, "flows of VM %s, whose change was cut off", buf_str(&b));
	end(c);
	return 0;
}

int flow_recover(const struct ctx *c, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_clean_(state_close) struct state *st = NULL;
	_free_ char *path = pending(c);
	int r;

	if (access(path, F_OK) < 0)
		return 0;
	r = switch_open(c, false, &s, e);
	if (r == -ENOENT) {
		end(c);
		return 0;
	}
	if (r == 0)
		r = state_open(c, STATE_READ, &st, e);
	return r < 0 ? r : settle(c, st, &s, e);
}

int flow_change(const struct ctx *c, struct state *st, const char *name, const json_t *flow, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	json_t *old = NULL, *rec = NULL;
	struct err miss = ERR_INIT;
	const json_t *nic = NULL;
	const char *uuid;
	/* who boots, stops or changes the VM waits at the same lock, before it reads its flows */
	int up = switch_open(c, false, &s, &miss), r = up == -ENOENT ? 0 : up;

	if (r < 0) {
		*e = miss;
		return r;
	}
	if (up == 0 && (r = settle(c, st, &s, e)) < 0)
		return r;
	state_net_get(st, "flow", name, &old, NULL);
	uuid = vm_str(flow ? flow : old, "vm") ?: "";
	r = state_vm_get(st, uuid, &rec, NULL, NULL, flow ? e : NULL);
	if (r == 0)
		nic = flow_nic(rec, vm_str(flow ? flow : old, "nic") ?: "");
	if (flow && r == 0 && !nic)
		r = err_set(e, ENOENT, "VM %s has no NIC %s", uuid, vm_str(flow, "nic") ?: "");
	r = flow ? (r == 0 ? check_change(st, name, flow, nic, e) : r) : 0;
	if (r == 0 && up == 0)
		r = begin(c, uuid, e);
	if (r == 0)
		r = put(st, name, flow, e);
	if (r == 0 && up == 0 && nic) {
		r = in_force(c, st, &s, nic, uuid, e);
		if (r < 0)
			put(st, name, old, NULL);
	}
	if (up == 0)
		end(c);
	json_decref(old);
	json_decref(rec);
	return r;
}

struct names {
	char name[FLOWS_MAX][FLOW_NAME_MAX + 1];
	size_t n;
};

static int note(const struct flow *f, void *arg)
{
	struct names *n = arg;

	if (n->n < FLOWS_MAX)
		snprintf(n->name[n->n++], sizeof *n->name, "%s", f->name);
	return 0;
}

int flow_forget(struct state *st, const char *uuid, struct err *e)
{
	_free_ struct names *n = xalloc(sizeof *n);
	int r;

	n->n = 0;
	r = flow_each(st, uuid, NULL, note, n, e);
	for (size_t i = 0; r >= 0 && i < n->n; i++)
		r = state_net_delete(st, "flow", n->name[i], e);
	return r;
}
