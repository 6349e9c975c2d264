/* SPDX-License-Identifier: MPL-2.0 */
/* `vmadm info`: what the kernel holds for a running VM, beside what its record asks for. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "bpf/switch.h"
#include "model/vm.h"
#include "net/drop.h"
#include "net/vnic.h"
#include "node/machine.h"
#include "node/vm.h"
#include "node/vmops.h"

static void put(json_t *o, const char *key, uint64_t v)
{
	if (v != UINT64_MAX)
		json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *zone_part(const struct vm *v)
{
	json_t *o = json_object();
	_free_ char *cg = xprintf("%s/%s/%s", v->cg.v2, v->cg.root, v->uuid);

	put(o, "zoneid", v->run.zoneid);
	put(o, "pid", (uint64_t)v->run.init_pid);
	put(o, "zoneadmd_pid", v->run.keeper ? (uint64_t)v->run.keeper_pid : UINT64_MAX);
	put(o, "id_base", v->id_base);
	json_object_set_new(o, "cgroup", json_string(cg));
	return o;
}

static json_t *usage_part(const struct cg_usage *u)
{
	json_t *o = json_object();

	put(o, "cpu_ns", u->cpu_ns);
	put(o, "memory_bytes", u->mem_bytes);
	put(o, "memory_peak_bytes", u->mem_peak);
	put(o, "processes", u->pids);
	put(o, "oom_kills", u->oom_kills);
	return o;
}

static json_t *limit_part(const struct cg_usage *u)
{
	json_t *o = json_object();

	put(o, "cpu_shares", u->cpu_shares);
	if (u->cpu_cap)
		put(o, "cpu_cap", u->cpu_cap);
	if (u->mem_limit)
		put(o, "memory_bytes", u->mem_limit);
	if (u->swap_limit)
		put(o, "memory_and_swap_bytes", u->swap_limit);
	if (u->pids_limit)
		put(o, "processes", u->pids_limit);
	return o;
}

struct nics {
	uint32_t zone;
	json_t *list;
};

static int nic_part(uint32_t ifindex, const struct sw_port *p, const struct sw_count *n, void *arg)
{
	struct nics *a = arg;
	json_t *o, *drops;

	(void)ifindex;
	if (p->vnic >> 5 != a->zone)
		return 0;
	drops = json_object();
	o = json_pack("{s:s#, s:o}", "interface", p->name, (int)strnlen(p->name, sizeof p->name), "mac",
		      json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5]));
	put(o, "received_bytes", n->rbytes);
	put(o, "received_packets", n->rpackets);
	put(o, "sent_bytes", n->obytes);
	put(o, "sent_packets", n->opackets);
	for (unsigned i = 1; i < DROP_REASONS; i++)
		if (n->drops[i])
			put(drops, drop_name(i), n->drops[i]);
	json_object_set_new(o, "dropped", drops);
	return json_array_append_new(a->list, o);
}

/* As the switch counts them; those of a node without one, or of a VM without NICs, are none. */
static json_t *nics_part(const struct vm *v)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	struct nics a = {(uint32_t)v->run.zoneid & ((1u << 27) - 1), json_array()};

	if (json_array_size(json_object_get(v->rec, "nics")) && switch_look(v->c, &s, NULL) == 0)
		vnic_each(&s, nic_part, &a, NULL);
	return a.list;
}

static void zone_parts(struct vm *v, const struct cg_usage *u, json_t *o, struct err *e)
{
	uint64_t limit = 0, used = 0;

	json_object_set_new(o, "zone", zone_part(v));
	json_object_set_new(o, "usage", usage_part(u));
	json_object_set_new(o, "limits", limit_part(u));
	json_object_set_new(o, "nics", nics_part(v));
	if (vm_need_store(v, e) == 0 && store_quota_get(v->store, store_quota_id(v->store, v->id_base), &limit, &used, e) == 0) {
		put(json_object_get(o, "usage"), "quota_bytes", used);
		put(json_object_get(o, "limits"), "quota_bytes", limit);
	}
}

static bool has_all(const char *const *types)
{
	while (types && *types && strcmp(*types, "all"))
		types++;
	return !types || *types;
}

/* What it has not said is missing, and why is said in its place: what the kernel holds is not its monitor's to withhold. */
static int without(json_t *o, const struct err *why)
{
	json_object_set_new(o, "monitor", json_string(why->msg));
	return 1;
}

int vm_info(struct ctx *c, const char *word, const char *const *types, json_t **out, struct err *e)
{
	_vm_ struct vm v = VM_INIT;
	struct cg_usage u = {0};
	bool all = has_all(types);
	struct err why = ERR_INIT;
	json_t *o, *m;
	int r = vm_open(c, word, VM_LOOK, &v, e);

	if (r < 0)
		return r;
	if (types && !brand_hvm(v.brand))
		return err_set(e, EINVAL, "VM %s is a zone: types are of machines (brand kvm)", v.uuid);
	r = types ? machine_info_types(types, e) : 0;
	if (r < 0)
		return r;
	if (!v.run.running)
		return err_set(e, EINVAL, "VM %s is not running", v.uuid);
	r = vm_need_cg(&v, e);
	if (r == 0)
		r = cg_usage(&v.cg, v.uuid, &u, e);
	if (r < 0)
		return r;
	o = json_object();
	if (all)
		zone_parts(&v, &u, o, e);
	if (brand_hvm(v.brand)) {
		m = types ? o : json_object();
		r = machine_info(&v, all ? NULL : types, m, all ? &why : e);
		if (!types)
			json_object_set_new(o, "machine", m);
		if (r < 0 && all)
			r = without(o, &why);
	}
	if (r < 0)
		json_decref(o);
	else
		*out = o;
	return r;
}
