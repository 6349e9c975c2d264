/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses that were chosen for NICs with "dhcp" in their ips: an object of kind "lease" for each, by link address. What makes
 * sure that nobody else has one is the index of addresses (taken.c), in which it stands like one that was given by hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"
#include "state/taken.h"

#define KIND    "lease"
#define OUTSIDE "outside" /* what a server elsewhere said; it is none of ours */
#define BOUND   "bound"   /* it has it now */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void taken_key(const char *tag, unsigned vlan, const char *ip, char out[160])
{
	snprintf(out, 160, "ip %s/%u %s", tag, vlan, ip);
}

static bool is_for(const json_t *v, const char *tag, unsigned vlan)
{
	return str_eq(text_of(v, "tag"), tag) && json_integer_value(json_object_get(v, "vlan")) == (json_int_t)vlan;
}

static bool is_lost(const json_t *v)
{
	return json_object_get(v, OUTSIDE) && !json_is_true(json_object_get(v, BOUND));
}

int state_lease_get(struct state *s, const char *mac, const char *tag, unsigned vlan, char vm[37], uint32_t *ip, struct err *e)
{
	struct err miss = ERR_INIT;
	json_t *v = NULL;
	int r = state_net_get(s, KIND, mac, &v, &miss);
	struct in_addr a;

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (e)
			*e = miss;
		return r;
	}
	r = (!tag || is_for(v, tag, vlan)) && !is_lost(v) && inet_pton(AF_INET, text_of(v, "ip") ?: "", &a) == 1;
	if (r) {
		*ip = ntohl(a.s_addr);
		snprintf(vm, 37, "%s", text_of(v, "vm") ?: "");
	}
	json_decref(v);
	return r;
}

static int drop(struct state *s, const char *mac, struct err *e)
{
	json_t *v = NULL, *t = NULL;
	char key[160];
	int r;

	if (state_net_get(s, KIND, mac, &v, NULL) < 0)
		return 0;
	taken_key(text_of(v, "tag") ?: "", (unsigned)json_integer_value(json_object_get(v, "vlan")), text_of(v, "ip") ?: "", key);
	r = state_net_delete(s, KIND, mac, e);
	if (r == 0 && !is_lost(v) && state_net_get(s, TAKEN_KIND, key, &t, NULL) == 0 && str_eq(text_of(t, "vm"), text_of(v, "vm")))
		r = state_net_delete(s, TAKEN_KIND, key, e);
	if (r == 0)
		r = holders_lease(s, text_of(v, "vm") ?: "", mac, text_of(v, "ip") ?: "", false, e);
	json_decref(t);
	json_decref(v);
	return r;
}

static int keep(struct state *s, const struct lease_ask *q, const char *key, const char *ip, struct err *e)
{
	json_t *v = json_pack("{s:s, s:s, s:i, s:s}", "vm", q->vm, "tag", q->tag, "vlan", (int)q->vlan, "ip", ip), *t = json_pack("{s:s}", "vm", q->vm);
	int r = state_net_put(s, KIND, q->mac, v, e);

	if (r == 0)
		r = state_net_put(s, TAKEN_KIND, key, t, e);
	if (r == 0)
		r = holders_lease(s, q->vm, q->mac, ip, true, e);
	json_decref(v);
	json_decref(t);
	return r;
}

struct indexing {
	struct state *s;
	struct err *e;
};

static int index_one(const char *mac, const json_t *v, void *arg)
{
	struct indexing *x = arg;

	return holders_lease(x->s, text_of(v, "vm") ?: "", mac, text_of(v, "ip") ?: "", true, x->e);
}

int lease_index(struct state *s, struct err *e)
{
	return state_net_each(s, KIND, index_one, &(struct indexing){s, e}, e);
}

/* Beginning where the link address says: a NIC that comes again finds the address that it had, if it is still free. */
static int choose(struct state *s, const struct lease_ask *q, uint32_t *ip, struct err *e)
{
	uint32_t hosts = (q->prefix ? 1u << (32 - q->prefix) : 0) - 2, first = (uint32_t)(str_hash(q->mac, strlen(q->mac)) % hosts);
	char text[INET_ADDRSTRLEN], key[160];

	for (uint32_t i = 0; i < hosts; i++) {
		uint32_t a = q->net + 1 + (first + i) % hosts;
		struct in_addr n = {htonl(a)};
		int r;

		if (a == q->gateway)
			continue;
		inet_ntop(AF_INET, &n, text, sizeof text);
		taken_key(q->tag, q->vlan, text, key);
		/* nor one of this VM's own: another NIC of its has it, or this one until its record is stored */
		r = taken_by_other(s, key, "", true, e);
		if (r > 0)
			continue;
		if (r == 0)
			r = keep(s, q, key, text, e);
		if (r == 0)
			*ip = a;
		return r;
	}
	return err_set(e, ENOSPC, "the subnet of %s has no free address", q->tag);
}

/* 1 = it has one that it can keep; -ESTALE = it has one, and shall have another. */
static int kept(struct state *s, const struct lease_ask *q, uint32_t *ip, struct err *e)
{
	uint32_t mask = ~0u << (32 - q->prefix);
	char vm[37];
	int r = state_lease_get(s, q->mac, q->tag, q->vlan, vm, ip, e);

	if (r == 0) { /* of a switch that it has left */
		r = state_lease_get(s, q->mac, NULL, 0, vm, ip, e);
		return r > 0 ? -ESTALE : r;
	}
	if (r < 0)
		return r;
	return str_eq(vm, q->vm) && (*ip & mask) == q->net && *ip != q->gateway && *ip != q->net && *ip != (q->net | ~mask) ? 1 : -ESTALE;
}

int state_lease_stale(struct state *s, const struct lease_ask *q, struct err *e)
{
	uint32_t ip;
	int r = kept(s, q, &ip, e);

	return r == -ESTALE ? 1 : r < 0 ? r : 0;
}

int state_lease_take(struct state *s, const struct lease_ask *q, uint32_t *ip, struct err *e)
{
	uint32_t was;
	int r = kept(s, q, &was, e);

	if (r > 0)
		*ip = was;
	if (r > 0 || (r < 0 && r != -ESTALE))
		return r > 0 ? 0 : r;
	r = state_begin(s, e);
	if (r < 0)
		return r;
	r = drop(s, q->mac, e);
	if (r == 0)
		r = choose(s, q, ip, e);
	return state_end(s, r, e);
}

/* Of its switch or another: until it has booted there it is on the old one, with the old lease. */
static bool wants(const json_t *rec, const json_t *was)
{
	const json_t *o, *ip;
	size_t i, k;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
		json_array_foreach(json_object_get(o, "ips"), k, ip)
			if (str_eq(json_string_value(ip), "dhcp") && str_eq(text_of(o, "mac"), text_of(was, "mac")))
				return true;
	return false;
}

int lease_change(struct state *s, const char *uuid, const json_t *old, const json_t *rec, struct err *e)
{
	const json_t *o;
	json_t *v = NULL;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(old, "nics"), i, o)
	{
		const char *mac = text_of(o, "mac");

		if (r < 0 || !mac || wants(rec, o) || state_net_get(s, KIND, mac, &v, NULL) < 0)
			continue;
		if (str_eq(text_of(v, "vm"), uuid))
			r = drop(s, mac, e);
		json_decref(v);
		v = NULL;
	}
	return r;
}

int state_lease_back(struct state *s, const char *uuid, const json_t *from, const json_t *to, struct err *e)
{
	int r = state_begin(s, e);

	return r < 0 ? r : state_end(s, lease_change(s, uuid, from, to, e), e);
}

/* ---- from outside ---- */

int state_lease_from(struct state *s, const char *mac, const char *tag, unsigned vlan, json_t **out, struct err *e)
{
	struct err miss = ERR_INIT;
	json_t *v = NULL;
	int r = state_net_get(s, KIND, mac, &v, &miss);

	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	if (r == 0 && json_is_object(json_object_get(v, OUTSIDE)) && is_for(v, tag, vlan)) {
		*out = v;
		return 1;
	}
	json_decref(v);
	return r == -ENOENT ? 0 : r;
}

struct late {
	const struct lease_outside *l;
	const char *ip;
	char mac[18];
};

/* Whose time was over without a word: its client was dead. */
static int late_one(const char *mac, const json_t *v, void *arg)
{
	struct late *a = arg;

	if (!is_for(v, a->l->tag, a->l->vlan) || !str_eq(text_of(v, "ip"), a->ip) || is_lost(v) || !json_object_get(v, OUTSIDE) || str_eq(mac, a->l->mac))
		return 0;
	if ((uint64_t)json_integer_value(json_object_get(json_object_get(v, OUTSIDE), "until")) >= clock_wall_ns() / 1000000000)
		return 0;
	snprintf(a->mac, sizeof a->mac, "%s", mac);
	return -ECANCELED;
}

static int learn(struct state *s, const struct lease_outside *l, struct err *e)
{
	struct in_addr n = {htonl(l->ip)};
	char ip[INET_ADDRSTRLEN], key[160];
	json_t *v, *t;
	int r = drop(s, l->mac, e);

	inet_ntop(AF_INET, &n, ip, sizeof ip);
	taken_key(l->tag, l->vlan, ip, key);
	/* nor may it be one of another NIC of this VM */
	if (r == 0)
		r = taken_by_other(s, key, "", true, e);
	if (r > 0) {
		struct late a = {.l = l, .ip = ip};

		r = state_net_each(s, KIND, late_one, &a, NULL) == -ECANCELED ? drop(s, a.mac, e) : err_set(e, EEXIST, "another NIC has the address %s", ip);
	}
	if (r < 0)
		return r;
	v = json_pack("{s:s, s:s, s:i, s:s, s:b, s:O}", "vm", l->vm, "tag", l->tag, "vlan", (int)l->vlan, "ip", ip, BOUND, 1, OUTSIDE, l->said);
	t = json_pack("{s:s}", "vm", l->vm);
	r = state_net_put(s, KIND, l->mac, v, e);
	if (r == 0)
		r = state_net_put(s, TAKEN_KIND, key, t, e);
	if (r == 0)
		r = holders_lease(s, l->vm, l->mac, ip, true, e);
	json_decref(v);
	json_decref(t);
	return r;
}

int state_lease_learn(struct state *s, const struct lease_outside *l, struct err *e)
{
	int r = state_begin(s, e);

	return r < 0 ? r : state_end(s, learn(s, l, e), e);
}

static int lose(struct state *s, const char *mac, const char *vm, struct err *e)
{
	json_t *v = NULL;
	int r = state_net_get(s, KIND, mac, &v, NULL);

	if (r == 0 && json_object_get(v, OUTSIDE) && !is_lost(v) && str_eq(text_of(v, "vm"), vm)) {
		r = drop(s, mac, e);
		json_object_set_new(v, BOUND, json_false());
		if (r == 0)
			r = state_net_put(s, KIND, mac, v, e);
	}
	json_decref(v);
	return r == -ENOENT ? 0 : r;
}

int state_lease_lose(struct state *s, const char *mac, const char *vm, struct err *e)
{
	int r = state_begin(s, e);

	return r < 0 ? r : state_end(s, lose(s, mac, vm, e), e);
}
