/* SPDX-License-Identifier: MPL-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/netset.h"
#include "model/vm.h"
#include "node/netconf.h"
#include "node/outside.h"

static void add_server(struct buf *b, const struct net_cidr *a)
{
	char text[INET6_ADDRSTRLEN];

	if (a->family && inet_ntop(a->family, a->ip, text, sizeof text))
		buf_printf(b, "nameserver %s\n", text);
}

static const json_t *primary(const json_t *rec)
{
	const json_t *nics = json_object_get(rec, "nics"), *o;
	size_t i;

	json_array_foreach(nics, i, o)
		if (vm_bool(o, "primary", false))
			return o;
	return json_array_get(nics, 0);
}

/* Those of the switch: its router where that resolves, else what it would tell to who asks by DHCP. */
static void of_switch(struct state *st, const json_t *nic, struct buf *b)
{
	const char *tag = vm_str(nic, "nic_tag") ?: "";
	int64_t vlan = vm_int(nic, "vlan_id", 0);
	_free_ char *name = vlan ? xprintf("%s/%lld", tag, (long long)vlan) : xstrdup(tag);
	struct netset *s = xalloc(sizeof *s);
	_json_ json_t *set = NULL;

	if (nic && state_net_get(st, "switch", name, &set, NULL) == 0 && netset_parse(set, s, NULL) == 0) {
		if (s->dns) {
			add_server(b, &s->gateway);
			add_server(b, &s->gateway6);
		} else {
			for (unsigned i = 0; i < s->nresolvers; i++)
				add_server(b, &s->resolvers[i]);
		}
	}
	free(s);
}

/* NULL: nobody has said any. */
static char *text_of(struct state *st, const json_t *rec)
{
	_buf_ struct buf servers = BUF_INIT;
	_free_ char *told = NULL, *outside = NULL;
	const char *domain = vm_str(rec, "dns_domain");
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "resolvers"), i, o)
	{
		struct net_cidr a;

		if (netset_cidr(json_string_value(o), true, &a) == 0)
			add_server(&servers, &a);
	}
	if (!servers.len)
		of_switch(st, primary(rec), &servers);
	if (!servers.len && (outside = outside_resolvers(st, primary(rec), &told)))
		buf_puts(&servers, outside);
	if (!servers.len)
		return NULL;
	/* what nobody has said is no reason not to take what the network says */
	if (told && (!domain || str_eq(domain, "local")))
		domain = told;
	return domain && *domain ? xprintf("search %s\n%s", domain, buf_str(&servers)) : xstrdup(buf_str(&servers));
}

/* A container's program has nobody inside to keep the file: it is kept for it. */
static bool maintained(const json_t *rec)
{
	return vm_bool(rec, "maintain_resolvers", false) || vm_bool(rec, "docker", false);
}

void resolvers_look(struct vm *v)
{
	free(v->resolvers);
	v->resolvers = text_of(v->st, v->rec);
	v->looked = true;
}

char *resolvers_at_boot(struct vm *v)
{
	_free_ char *text = v->looked ? take(v->resolvers) : text_of(v->st, v->rec);
	/* beside the zone's root and as old as that: a new root has none, and neither has one that is rolled back to before */
	_free_ char *mark = vm_path(v, "root/resolvers");

	v->looked = false;
	if (!text || (!maintained(v->rec) && access(mark, F_OK) == 0))
		return NULL;
	return take(text);
}

void resolvers_written(struct vm *v)
{
	_free_ char *mark = vm_path(v, "root/resolvers");

	for (unsigned i = 0; i < v->spec->nfiles; i++)
		if (str_eq(v->spec->files[i].path, "/etc/resolv.conf") && access(mark, F_OK) < 0)
			file_replace(mark, "", 0, 0600, 0, NULL);
}

/* Where the file is not kept for the zone, the first lease of its root writes it, as a first boot does where they are known by then. */
void resolvers_leased(struct vm *v)
{
	_free_ char *text = text_of(v->st, v->rec), *mark = vm_path(v, "root/resolvers");
	struct zfile f = {.path = (char *)"/etc/resolv.conf", .mode = 0644, .text = text};
	struct err e = ERR_INIT;

	if (!text || (!maintained(v->rec) && access(mark, F_OK) == 0))
		return;
	if (zone_file_write(v->c, &v->run, &f, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s; at its next boot it is as its record says", v->uuid, e.msg);
	else if (access(mark, F_OK) < 0)
		file_replace(mark, "", 0, 0600, 0, NULL);
}

void resolvers_live(struct vm *v, const json_t *from, const json_t *to)
{
	_free_ char *was = text_of(v->st, from), *now = text_of(v->st, to);
	struct zfile f = {.path = (char *)"/etc/resolv.conf", .mode = 0644, .text = now};
	struct err e = ERR_INIT;

	if (!v->run.running || !now || !maintained(to) || (maintained(from) && str_eq(was, now)))
		return;
	if (zone_file_write(v->c, &v->run, &f, &e) < 0)
		ctx_log(v->c, LOG_WARN, "VM %s: %s; at its next boot it is as its record says", v->uuid, e.msg);
}
