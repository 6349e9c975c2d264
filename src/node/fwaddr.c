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
#include "model/netset.h"
#include "model/vm.h"
#include "node/addr.h"
#include "node/fwset.h"

#define KNOWN "known" /* of a NIC, in a copy */

static int known_of(struct state *st, const json_t *nic, json_t *list, struct err *e)
{
	struct netset *set = xalloc(sizeof *set);
	char text[INET6_ADDRSTRLEN];
	char vm[37];
	uint32_t ip;
	/* of whatever switch: one that is to move has it until it boots there */
	int r = addr_asks(nic, "dhcp") ? state_lease_get(st, vm_str(nic, "mac") ?: "", NULL, 0, vm, &ip, e) : 0;

	if (r > 0)
		json_array_append_new(list, json_string(inet_ntop(AF_INET, &(struct in_addr){htonl(ip)}, text, sizeof text)));
	if (r >= 0 && addr_asks(nic, "addrconf")) {
		r = addr_settings(st, nic, set, e);
		/* also where the router that advertises it is not ours */
		if (r > 0 && set->subnet6.family && set->subnet6.prefix == 64 && addr_formed(nic, set->subnet6.ip, text) == 0)
			json_array_append_new(list, json_string(text));
	}
	free(set);
	return r < 0 ? r : 0;
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
