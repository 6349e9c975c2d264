/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which VMs name an address, on whatever switch: objects of kind "at ADDRESS" with the VM's uuid, written with its record. The firewall asks when
 * one goes whether somebody else is meant by it; looking through the records would cost each delete all VMs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "state/db.h"
#include "state/taken.h"

#define PREFIX "prefix" /* of these there are few: who has one is asked for all */

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void kind_of(const char *at, char kind[80])
{
	char one[STR_IP];

	snprintf(kind, 80, "at %s", str_ip(at, one));
}

static void note(json_t *keys, const char *at)
{
	char kind[80];

	kind_of(at, kind);
	json_object_set_new(keys, kind, json_true());
}

static void note_list(json_t *keys, const json_t *list, bool part)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *s = json_string_value(o) ?: "", *slash = strchr(s, '/');

		if (part && slash && !str_eq(slash, strchr(s, ':') ? "/128" : "/32"))
			note(keys, PREFIX);
		else if (strpbrk(s, ".:"))
			note(keys, s);
	}
}

/* What stands in a record; its link addresses too, for the addresses that are formed of them. */
static json_t *keys_of(const json_t *rec)
{
	json_t *keys = json_object();
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		note_list(keys, json_object_get(o, "ips"), false);
		note_list(keys, json_object_get(o, "allowed_ips"), true);
		if (text_of(o, "vrrp_primary_ip"))
			note(keys, text_of(o, "vrrp_primary_ip"));
		if (text_of(o, "mac"))
			note(keys, text_of(o, "mac"));
	}
	return keys;
}

int holders_change(struct state *s, const char *uuid, const json_t *old, const json_t *rec, struct err *e)
{
	json_t *was = keys_of(old), *now = keys_of(rec), *none = json_object(), *v;
	const char *kind;
	int r = 0;

	/* all of them: whether those of the old one are there depends on who has written it */
	json_object_foreach(now, kind, v)
		if (r == 0)
			r = state_net_put(s, kind, uuid, none, e);
	json_object_foreach(was, kind, v)
		if (r == 0 && !json_object_get(now, kind))
			r = state_net_delete(s, kind, uuid, e);
	json_decref(was);
	json_decref(now);
	json_decref(none);
	return r;
}

/* Beside what the record names, under another name: the one may go while the other stays. */
int holders_lease(struct state *s, const char *uuid, const char *mac, const char *ip, bool on, struct err *e)
{
	json_t *none = json_object();
	char kind[80], name[80];
	int r;

	kind_of(ip, kind);
	snprintf(name, sizeof name, "%s %s", uuid, mac);
	r = on ? state_net_put(s, kind, name, none, e) : state_net_delete(s, kind, name, e);
	json_decref(none);
	return r;
}

struct asking {
	int (*each)(const char *uuid, void *arg);
	void *arg;
};

static int ask(const char *name, const char *text, void *arg)
{
	const struct asking *q = arg;
	char uuid[UUID_LEN + 1];

	snprintf(uuid, sizeof uuid, "%s", name);
	return q->each(uuid, q->arg);
}

int state_holders(struct state *s, const char *at, int (*each)(const char *uuid, void *arg), void *arg, struct err *e)
{
	struct asking q = {each, arg};
	char kind[80];
	int r = taken_index(s, e);

	kind_of(at ?: PREFIX, kind);
	return r < 0 ? r : state_net_each_text(s, kind, ask, &q, e);
}
