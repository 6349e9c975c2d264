/* SPDX-License-Identifier: MPL-2.0 */
/* Flows that are charged to a zone: how many there are, and that they go with it. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/fw.h"

/* The key of what is in a slot, if that is still there and is its own. */
static bool slot_flow(struct net_switch *s, const struct sw_slot_key *at, struct sw_flow_key *k, struct sw_flow *c)
{
	return bpf_get(s->map[SWM_FLOW_SLOTS], at, k, NULL) == 0 && bpf_get(s->map[SWM_FLOWS], k, c, NULL) == 0 && c->owner == at->zone &&
	       c->slot == at->slot;
}

int net_fw_flows(struct net_switch *s, uint32_t zone, uint32_t *used, uint32_t *limit, struct err *e)
{
	struct sw_slot_key at = {.zone = zone};
	struct sw_use u = {.limit = SW_FLOWS_ZONE};
	struct err miss = ERR_INIT;
	struct sw_flow_key k;
	struct sw_flow c;
	uint32_t n = 0;
	int r = bpf_get(s->map[SWM_FLOW_USE], &zone, &u, &miss);

	if (r < 0 && r != -ENOENT) {
		if (e)
			*e = miss;
		return r;
	}
	for (; r == 0 && at.slot < u.window; at.slot++)
		n += slot_flow(s, &at, &k, &c);
	*used = n;
	*limit = u.limit;
	return 0;
}

int net_fw_drop(struct net_switch *s, uint32_t zone, struct err *e)
{
	struct sw_slot_key at = {.zone = zone};
	struct sw_use u = {.window = 0};
	struct sw_flow_key k;
	struct sw_flow c;
	int r = net_fw_status(s, zone, e);

	if (r > 0)
		r = bpf_del(s->map[SWM_FW_LISTS], &zone, e);
	if (r < 0)
		return err_add(e, "firewall");
	if (bpf_get(s->map[SWM_FLOW_USE], &zone, &u, NULL) < 0)
		return 0;
	for (; r == 0 && at.slot < u.window; at.slot++) {
		if (slot_flow(s, &at, &k, &c))
			r = bpf_del(s->map[SWM_FLOWS], &k, e);
		if (r == 0)
			r = bpf_del(s->map[SWM_FLOW_SLOTS], &at, e);
	}
	if (r == 0)
		r = bpf_del(s->map[SWM_FLOW_USE], &zone, e);
	return r < 0 ? err_add(e, "firewall") : 0;
}
