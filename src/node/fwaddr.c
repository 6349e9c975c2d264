/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which addresses a VM has: those of its record (fwobj_vm()), and beside them what stands elsewhere, the leases of NICs with "dhcp" and
 * what those with "addrconf" form of their switch's prefix. A rule that names the VM means all of them: else who is shut out by one
 * address comes in by the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/str.h"
#include "model/netset.h"
#include "model/vm.h"
#include "node/addr.h"
#include "node/fwset.h"

#define KNOWN  "known" /* of a NIC, in a copy */
#define FORMED "formed" /* by link address: what a NIC that is to move has formed on the switch that it is on until it boots */

/* Of the prefix that its switch advertises, as far as we know: 1, 0 = there is none. Also where the router that does is not ours. */
static int formed_of(struct state *st, const json_t *nic, char text[INET6_ADDRSTRLEN], struct err *e)
{
	struct netset *set = xalloc(sizeof *set);
	int r = addr_asks(nic, "addrconf") ? addr_settings(st, nic, set, e) : 0;

	if (r > 0)
		r = set->subnet6.family && set->subnet6.prefix == 64 && addr_formed(nic, set->subnet6.ip, text) == 0;
	free(set);
	return r;
}

static int known_of(struct state *st, const json_t *nic, json_t *list, struct err *e)
{
	_json_ json_t *was = NULL;
	char text[INET6_ADDRSTRLEN];
	char vm[37];
	uint32_t ip;
	/* of whatever switch: one that is to move has it until it boots there */
	int r = addr_asks(nic, "dhcp") ? state_lease_get(st, vm_str(nic, "mac") ?: "", NULL, 0, vm, &ip, e) : 0;

	if (r > 0)
		json_array_append_new(list, json_string(inet_ntop(AF_INET, &(struct in_addr){htonl(ip)}, text, sizeof text)));
	if (r >= 0)
		r = formed_of(st, nic, text, e);
	if (r > 0)
		json_array_append_new(list, json_string(text));
	if (r >= 0 && addr_asks(nic, "addrconf"))
		r = fwdb_get(st, FORMED, vm_str(nic, "mac") ?: "", &was, e);
	if (r > 0 && vm_str(was, "ip"))
		json_array_append_new(list, json_string(vm_str(was, "ip")));
	return r < 0 ? r : 0;
}

static const json_t *same_nic(const json_t *rec, const json_t *nic)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (str_eq(vm_str(o, "mac"), vm_str(nic, "mac")))
			return o;
	return NULL;
}

static int moving(struct state *st, const json_t *from, const json_t *to, struct err *e)
{
	_free_ char *a = addr_switch(from), *b = addr_switch(to);
	_json_ json_t *was = NULL, *o = NULL;
	char text[INET6_ADDRSTRLEN];
	int r = str_eq(a, b) ? 0 : formed_of(st, from, text, e);

	/* that of the switch where it is: of two moves before a boot the first says which */
	if (r > 0 && (r = fwdb_get(st, FORMED, vm_str(to, "mac") ?: "", &was, e)) == 0) {
		o = json_pack("{s:s}", "ip", text);
		r = state_net_put(st, FORMED, vm_str(to, "mac") ?: "", o, e);
	}
	return r < 0 ? r : 0;
}

int fwaddr_moving(struct state *st, bool runs, const json_t *from, const json_t *to, struct err *e)
{
	const json_t *nic;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(from, "nics"), i, nic)
	{
		const json_t *now = same_nic(to, nic);

		if (r == 0 && !now && vm_str(nic, "mac"))
			r = state_net_delete(st, FORMED, vm_str(nic, "mac"), e);
		else if (r == 0 && now && runs)
			r = moving(st, nic, now, e);
	}
	return r;
}

int fwaddr_has_moved(struct state *st, const json_t *rec, struct err *e)
{
	const json_t *nic;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
	{
		_json_ json_t *was = NULL;

		if (r == 0 && addr_asks(nic, "addrconf"))
			r = fwdb_get(st, FORMED, vm_str(nic, "mac") ?: "", &was, e);
	}
	return r;
}

int fwaddr_note(struct state *st, const json_t *rec, json_t **out, struct err *e)
{
	_json_ json_t *copy = json_copy((json_t *)rec), *nics = json_array();
	const json_t *nic;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
	{
		json_t *one = json_copy((json_t *)nic), *list = json_array();

		json_object_set_new(one, KNOWN, list);
		json_array_append_new(nics, one);
		r = r < 0 ? r : known_of(st, nic, list, e);
	}
	json_object_set(copy, "nics", nics);
	if (r == 0)
		*out = take(copy);
	return r;
}

void fwaddr_without(json_t *noted, const char *mac, const char *ip)
{
	json_t *nic, *list;
	size_t i;

	json_array_foreach(json_object_get(noted, "nics"), i, nic)
	{
		list = str_eq(vm_str(nic, "mac"), mac) ? json_object_get(nic, KNOWN) : NULL;
		for (size_t k = json_array_size(list); k-- > 0;)
			if (str_eq(json_string_value(json_array_get(list, k)), ip))
				json_array_remove(list, k);
	}
}

static bool asks_any(const json_t *rec, bool *noted)
{
	const json_t *nic;
	bool any = false;
	size_t i;

	json_array_foreach(json_object_get(rec, "nics"), i, nic)
	{
		any = any || addr_asks(nic, "dhcp") || addr_asks(nic, "addrconf");
		*noted = *noted || json_object_get(nic, KNOWN);
	}
	return any;
}

int fwaddr_vm(struct state *st, const json_t *rec, struct fw_vm *out, struct err *e)
{
	_json_ json_t *copy = NULL;
	bool noted = false;
	int r = asks_any(rec, &noted) && !noted ? fwaddr_note(st, rec, &copy, e) : 0;

	if (r == 0)
		fwobj_vm(copy ? copy : rec, out);
	return r;
}

int fwaddr_doubt(const struct ctx *c, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct err miss = ERR_INIT;
	int r = switch_look(c, &s, &miss);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && e)
		*e = miss;
	return r < 0 ? r : fwsync_begin(&s, e);
}

int fwaddr_moved(struct ctx *c, struct state *st, struct err *e)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct err miss = ERR_INIT;
	int r = switch_open(c, false, &s, &miss);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && e)
		*e = miss;
	if (r == 0)
		r = fwsync_begin(&s, e);
	return r < 0 ? r : fwsync(c, st, &s, e);
}
