/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What no two VMs may have: link addresses, addresses and VRRP router ids of their NICs, ports of their screens. Each is an object of kind "taken" with the VM's
 * uuid, written with the VM's record, so that a create looks up what it wants and reads no other record. Those of a VM whose
 * provisioning has failed are anybody's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "state/db.h"
#include "state/taken.h"

#define KIND         TAKEN_KIND
#define INDEXED      "nics-indexed-3" /* of a node whose VMs were made before there was this index or holders.c's, or before one address was one key */
#define PROVISION_NS (300 * 1000000000LL)

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* Calls each for every key of a record. */
static int keys_each(const json_t *rec, int (*each)(const char *key, const char *what, void *arg), void *arg)
{
	const json_t *o, *ip;
	char key[160], what[128];
	size_t i, k;
	int r = 0;

	if (json_integer_value(json_object_get(rec, "vnc_port")) > 0) {
		snprintf(key, sizeof key, "vnc %lld", (long long)json_integer_value(json_object_get(rec, "vnc_port")));
		snprintf(what, sizeof what, "vnc_port: %lld", (long long)json_integer_value(json_object_get(rec, "vnc_port")));
		r = each(key, what, arg);
	}
	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		const char *tag = text_of(o, "nic_tag") ?: "", *mac = text_of(o, "mac");
		json_int_t vlan = json_integer_value(json_object_get(o, "vlan_id")), vrid = json_integer_value(json_object_get(o, "vrrp_vrid"));

		if (mac) {
			snprintf(key, sizeof key, "mac %s", mac);
			snprintf(what, sizeof what, "nics: the link address %s", mac);
			r = each(key, what, arg);
		}
		if (r == 0 && vrid > 0) {
			snprintf(key, sizeof key, "vrid %s/%lld %lld", tag, (long long)vlan, (long long)vrid);
			snprintf(what, sizeof what, "nics: the VRRP router id %lld on nic tag %s", (long long)vrid, tag);
			r = each(key, what, arg);
		}
		json_array_foreach(json_object_get(o, "ips"), k, ip)
		{
			const char *s = json_string_value(ip) ?: "";
			char addr[STR_IP];

			if (r < 0 || !strchr(s, '/'))
				continue;
			str_ip(s, addr);
			snprintf(key, sizeof key, "ip %s/%lld %s", tag, (long long)vlan, addr);
			snprintf(what, sizeof what, "nics: the address %s on nic tag %s", addr, tag);
			r = each(key, what, arg);
		}
		if (r < 0)
			return r;
	}
	return r;
}

struct claim {
	struct state *s;
	const char *uuid;
	json_t *value; /* NULL: look, and write nothing */
	const json_t *keep;
	struct err *e;
};

static int counts(const struct vm_row *row, void *arg)
{
	int64_t now = (int64_t)clock_wall_ns();

	return !(str_eq(row->state, "failed") || (str_eq(row->state, "provisioning") && now - row->state_ns > PROVISION_NS));
}

/* 1 = another VM, which counts, has it. */
static int has_other(struct claim *c, const char *key, char owner[37])
{
	json_t *v = NULL;
	int r = state_net_get(c->s, KIND, key, &v, NULL);

	snprintf(owner, 37, "%s", text_of(v, "vm") ?: "");
	json_decref(v);
	if (r == -ENOENT || str_eq(owner, c->uuid))
		return 0;
	if (r < 0)
		return err_set(c->e, -r, "look up who has %s", key);
	r = state_vm_row(c->s, owner, counts, NULL, NULL);
	return r == -ENOENT ? 0 : r;
}

int taken_by_other(struct state *s, const char *key, const char *uuid, bool all, struct err *e)
{
	struct claim c = {.s = s, .uuid = uuid, .e = e};
	char owner[37];
	int r = has_other(&c, key, owner);

	if (r == 0 && all && owner[0] && !str_eq(owner, uuid))
		return state_vm_has(s, owner, e);
	return r;
}

static int take_key(const char *key, const char *what, void *arg)
{
	struct claim *c = arg;
	char owner[37];
	int r = has_other(c, key, owner);

	if (r > 0) {
		err_set(c->e, EEXIST, "%s is taken by VM %s", what, owner);
		return -EEXIST;
	}
	return r < 0 || !c->value ? r : state_net_put(c->s, KIND, key, c->value, c->e);
}

static int note_key(const char *key, const char *what, void *arg)
{
	return json_object_set_new(arg, key, json_true());
}

static int drop_key(const char *key, const char *what, void *arg)
{
	struct claim *c = arg;
	json_t *v = NULL;
	int r = 0;

	if (json_object_get(c->keep, key))
		return 0;
	if (state_net_get(c->s, KIND, key, &v, NULL) == 0 && str_eq(text_of(v, "vm"), c->uuid))
		r = state_net_delete(c->s, KIND, key, c->e);
	json_decref(v);
	return r;
}

static int index_row(const struct vm_row *row, void *arg)
{
	struct claim *c = arg;
	json_t *rec = row->record && strstr(row->record, "\"nic_tag\"") ? json_loads(row->record, 0, NULL) : NULL;
	struct claim one = {.s = c->s, .uuid = row->uuid, .value = rec ? json_pack("{s:s}", "vm", row->uuid) : NULL, .e = c->e};
	int r = rec && counts(row, NULL) ? keys_each(rec, take_key, &one) : 0;

	if (r == -EEXIST) /* two that conflict since before it was looked at: the first has it */
		r = 0;
	if (r == 0 && rec)
		r = holders_change(c->s, row->uuid, NULL, rec, c->e);
	json_decref(one.value);
	json_decref(rec);
	return r;
}

static int index_all(struct state *s, struct err *e)
{
	struct claim c = {.s = s, .e = e};
	_free_ char *done = NULL;
	int r = state_kv_get(s, INDEXED, &done, NULL);

	if (r == 0)
		return 0;
	r = state_vm_each(s, STATE_RECORD, index_row, &c, e);
	if (r == 0)
		r = lease_index(s, e);
	return r < 0 ? r : state_kv_set(s, INDEXED, "1", e);
}

int taken_index(struct state *s, struct err *e)
{
	_free_ char *done = NULL;
	int r = state_kv_get(s, INDEXED, &done, NULL);

	if (r == 0)
		return 0;
	r = state_begin(s, e);
	return r < 0 ? r : state_end(s, index_all(s, e), e);
}

static size_t nnics(const json_t *rec)
{
	return json_array_size(json_object_get(rec, "nics"));
}

int state_nics_free(struct state *s, const json_t *rec, struct err *e)
{
	struct claim c = {.s = s, .uuid = text_of(rec, "uuid"), .e = e};

	return keys_each(rec, take_key, &c);
}

static int with_nics(const struct vm_row *row, void *arg)
{
	json_t **rec = arg;

	if (row->record && (strstr(row->record, "\"nic_tag\"") || strstr(row->record, "\"vnc_port\"")))
		*rec = json_loads(row->record, 0, NULL);
	return 0;
}

int taken_change(struct state *s, const char *uuid, const json_t *rec, struct err *e)
{
	json_t *old = NULL, *keep = json_object();
	struct claim c = {.s = s, .uuid = uuid, .value = json_pack("{s:s}", "vm", uuid), .keep = keep, .e = e};
	int r = 0;

	state_vm_row(s, uuid, with_nics, &old, NULL);
	if (nnics(rec) || nnics(old))
		r = index_all(s, e);
	/* first: an address that was leased may now be given by hand */
	if (r == 0 && nnics(old))
		r = lease_change(s, uuid, old, rec, e);
	if (r == 0)
		r = keys_each(rec, take_key, &c);
	if (r == 0 && old) {
		keys_each(rec, note_key, keep);
		r = keys_each(old, drop_key, &c);
	}
	if (r == 0)
		r = holders_change(s, uuid, old, rec, e);
	json_decref(c.value);
	json_decref(keep);
	json_decref(old);
	return r;
}
