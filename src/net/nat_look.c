/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What of the host's own rules drops what it forwards: Docker's, ufw's, firewalld's. A chain that accepts does not overrule
 * another that drops, so a table of ours can't help it; we say so, and what would, and leave other people's tables alone.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "net/nat.h"

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

static bool same_table(const json_t *a, const json_t *b)
{
	return str_eq(text(a, "family"), text(b, "family")) && str_eq(text(a, "table"), text(b, "table"));
}

/* Whether a chain of this rule's table lets pass whatever comes to its end, as firewalld's of a trusted zone does. */
static bool ends_well(const json_t *all, const json_t *rule, const char *chain)
{
	const json_t *o, *last = NULL;
	size_t i;

	json_array_foreach(all, i, o)
	{
		const json_t *r = json_object_get(o, "rule");

		if (r && same_table(r, rule) && str_eq(text(r, "chain"), chain))
			last = r;
	}
	return last && json_array_size(json_object_get(last, "expr")) == 1 && json_object_get(json_array_get(json_object_get(last, "expr"), 0), "accept");
}

/* Whether a rule matches nothing but this interface, and lets pass. */
static bool accepts(const json_t *all, const json_t *rule, const char *key, const char *ifname)
{
	bool met = false, yes = false;
	const json_t *x;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, x)
	{
		const json_t *m = json_object_get(x, "match");

		if (m && str_eq(text(json_object_get(json_object_get(m, "left"), "meta"), "key"), key) && str_eq(text(m, "right"), ifname) &&
		    str_eq(text(m, "op"), "=="))
			met = true;
		else if (m)
			return false;
		if (json_object_get(x, "accept") || (json_object_get(x, "goto") && ends_well(all, rule, text(json_object_get(x, "goto"), "target"))))
			yes = true;
	}
	return met && yes;
}

/* A last rule that drops whatever has come so far is a policy of another name. */
static bool drops_all(const json_t *rule)
{
	const json_t *x;
	size_t i;
	bool drops = false;

	json_array_foreach(json_object_get(rule, "expr"), i, x)
	{
		if (json_object_get(x, "match") || json_object_get(x, "jump") || json_object_get(x, "goto") || json_object_get(x, "accept"))
			return false;
		if (json_object_get(x, "drop") || json_object_get(x, "reject"))
			drops = true;
	}
	return drops;
}

struct facts {
	bool in, out, last_drops, docker, ufw;
};

static struct facts facts_of(const json_t *all, const json_t *chain, const char *ifname)
{
	struct facts f = {0};
	const json_t *o;
	size_t i;

	json_array_foreach(all, i, o)
	{
		const json_t *rule = json_object_get(o, "rule"), *other = json_object_get(o, "chain");

		if (other && same_table(other, chain)) {
			f.docker = f.docker || str_eq(text(other, "name"), "DOCKER-USER");
			f.ufw = f.ufw || str_eq(text(other, "name"), "ufw-user-forward");
		}
		if (!rule || !same_table(rule, chain))
			continue;
		f.in = f.in || accepts(all, rule, "iifname", ifname);
		f.out = f.out || accepts(all, rule, "oifname", ifname);
		if (str_eq(text(rule, "chain"), text(chain, "name")))
			f.last_drops = drops_all(rule);
	}
	return f;
}

static void remedy(const json_t *chain, const struct facts *f, const char *ifn, struct buf *out)
{
	const char *family = text(chain, "family"), *table = text(chain, "table"), *name = text(chain, "name");

	if (f->docker)
		buf_printf(out, "iptables -I DOCKER-USER -i %s -j ACCEPT; iptables -I DOCKER-USER -o %s -j ACCEPT", ifn, ifn);
	else if (f->ufw)
		buf_printf(out, "ufw route allow in on %s; ufw route allow out on %s", ifn, ifn);
	else if (str_eq(table, "firewalld"))
		buf_printf(out, "firewall-cmd --permanent --zone=trusted --add-interface=%s; firewall-cmd --reload", ifn);
	else
		buf_printf(out, "nft insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s oifname %s accept", family, table, name, ifn, family, table,
			   name, ifn);
}

bool nat_look_table(const char *json, const char *table)
{
	json_t *root = json_loads(json, 0, NULL);
	bool there = !root; /* more rules than are read */
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(root, "nftables"), i, o)
	{
		const json_t *chain = json_object_get(o, "chain");

		there = there || (str_eq(text(chain, "family"), "inet") && str_eq(text(chain, "table"), table));
	}
	json_decref(root);
	return there;
}

void nat_look_rules(const char *json, const char *host_if, struct buf *out)
{
	json_t *root = json_loads(json, 0, NULL);
	const json_t *all = json_object_get(root, "nftables"), *o;
	size_t i;

	json_array_foreach(all, i, o)
	{
		const json_t *chain = json_object_get(o, "chain");
		struct facts f;

		if (!str_eq(text(chain, "hook"), "forward") || str_starts(text(chain, "table"), "cloister") ||
		    (!str_eq(text(chain, "family"), "ip") && !str_eq(text(chain, "family"), "inet")))
			continue;
		f = facts_of(all, chain, host_if);
		if ((!str_eq(text(chain, "policy"), "drop") && !f.last_drops) || (f.in && f.out))
			continue;
		buf_printf(out, "this host drops what it forwards (chain %s of table %s %s): ", text(chain, "name"), text(chain, "family"), text(chain, "table"));
		remedy(chain, &f, host_if, out);
		buf_puts(out, "\n");
	}
	json_decref(root);
}
