/* SPDX-License-Identifier: MPL-2.0 */
/* Flows that are charged to a zone: how many there are, and that they go with it. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "bpf/switch.h"
#include "kern/bpf.h"
#include "net/fw.h"
#include "net/fw_lists.h"
#include "net/log.h"

/* The key of what is in a slot, if that is still there and is its own. */
static bool slot_flow(struct net_switch *s, const struct sw_slot_key *at, struct sw_flow_key *k, struct sw_flow *c)
{
	return bpf_get(s->map[SWM_FLOW_SLOTS], at, k, NULL) == 0 && bpf_get(s->map[SWM_FLOWS], k, c, NULL) == 0 && c->owner == at->zone &&
	       c->slot == at->slot;
}

/* 1: it has slots. */
static int read_use(struct net_switch *s, uint32_t owner, struct sw_use *u, struct err *e)
{
	struct err miss = ERR_INIT;
	int r = bpf_get(s->map[SWM_FLOW_USE], &owner, u, &miss);

	if (r < 0 && r != -ENOENT && e)
		*e = miss;
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

int net_fw_flows(struct net_switch *s, uint32_t zone, uint32_t *used, uint32_t *limit, struct err *e)
{
	const uint32_t owners[] = {zone, zone | SW_OUTSIDE};
	uint32_t n = 0, most = 0;

	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		struct sw_slot_key at = {.zone = owners[i]};
		struct sw_use u = {.limit = SW_FLOWS_ZONE};
		struct sw_flow_key k;
		struct sw_flow c;
		int r = read_use(s, owners[i], &u, e);

		if (r < 0)
			return r;
		most += u.limit;
		for (; at.slot < u.window; at.slot++)
			n += slot_flow(s, &at, &k, &c);
	}
	*used = n;
	*limit = most;
	return 0;
}

/* What it had beyond its share is others'. The program may count meanwhile: then it counts anew when somebody is refused. */
static int give_back(struct net_switch *s, uint32_t window, struct err *e)
{
	uint32_t zero = 0;
	uint64_t all;
	int r = bpf_get(s->map[SWM_FLOW_SHARED], &zero, &all, e);

	if (r < 0 || window <= SW_SHARE)
		return r;
	all -= all < window - SW_SHARE ? all : window - SW_SHARE;
	return bpf_put(s->map[SWM_FLOW_SHARED], &zero, &all, e);
}

static int forget_flows(struct net_switch *s, uint32_t owner, struct err *e)
{
	struct sw_slot_key at = {.zone = owner};
	struct sw_flow_key k;
	struct sw_flow c;
	struct sw_use u;
	uint32_t n;
	int r = read_use(s, owner, &u, e);

	if (r <= 0)
		return r;
	/* where others have taken from its end (bpf/share.h), it may have filled a slot there meanwhile that is not in its window any more */
	n = u.window < SW_SHARE ? u.window : u.limit;
	for (r = 0; r == 0 && at.slot < n; at.slot++) {
		if (slot_flow(s, &at, &k, &c))
			r = bpf_del(s->map[SWM_FLOWS], &k, e);
		if (r == 0)
			r = bpf_del(s->map[SWM_FLOW_SLOTS], &at, e);
	}
	if (r == 0)
		r = bpf_del(s->map[SWM_FLOW_USE], &owner, e);
	return r < 0 ? r : give_back(s, u.window, e);
}

int net_fw_drop(struct net_switch *s, uint32_t zone, struct err *e)
{
	int r = fw_list_leave(s, zone, e);

	if (r == 0)
		r = forget_flows(s, zone, e);
	if (r == 0)
		r = forget_flows(s, zone | SW_OUTSIDE, e);
	if (r == 0)
		r = net_log_drop(s, zone, e);
	return r < 0 ? err_add(e, "firewall") : 0;
}
