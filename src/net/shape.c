/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which classes (shape_class.c) are whose, and the maps that the switch's program reads. Order of a change: classes, then the maps,
 * then the port's flag; backwards where something is taken away: no frame ever finds a class that is not there, and one that did
 * would be dropped.
 */
#include "net/shape.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/steps.h"
#include "base/str.h"
#include "kern/bpf.h"
#include "kern/rtnl.h"
#include "net/port.h"
#include "net/port_lists.h"

#define SLOTS    (65535 / SHAPE_CLASSES)
#define CHANGING UINT32_MAX /* no slot: an element of their map while a change is under way */

static const char *const prio_names[] = {[SHAPE_HIGH] = "high", [SHAPE_MEDIUM] = "medium", [SHAPE_LOW] = "low"};

int shape_prio(const char *name)
{
	if (!name)
		return SHAPE_MEDIUM;
	for (size_t i = 0; i < ARRAY_LEN(prio_names); i++)
		if (str_eq(name, prio_names[i]))
			return (int)i;
	return -EINVAL;
}

const char *shape_prio_name(uint32_t prio)
{
	return prio < ARRAY_LEN(prio_names) ? prio_names[prio] : "?";
}

/* ---- which classes are whose ---- */

/*
 * One that a killed command has left is taken where its port has gone, and nothing of it is in use. A class that was there already
 * would keep its parent: a flow would be below another ceiling than its VNIC's, or none.
 */
static int slot_take(struct net_switch *s, const struct sw_shape *sh, uint32_t ifindex, uint32_t *class_, struct err *e)
{
	uint32_t owner;

	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t slot = (ifindex * 7 + i) % SLOTS;

		if (bpf_get(s->map[SWM_SHAPE_SLOTS], &slot, &owner, NULL) == 0 && rtnl_has(s->rtnl, (int)owner, NULL) != 0)
			continue;
		if (shape_classes_delete(s, sh, slot * SHAPE_CLASSES + 1) < 0)
			continue;
		*class_ = slot * SHAPE_CLASSES + 1;
		return bpf_put(s->map[SWM_SHAPE_SLOTS], &slot, &ifindex, e);
	}
	return err_set(e, ENOSPC, "a node has at most %d ceilings on bandwidth", SLOTS);
}

/* It stays taken while its classes are there: those of a VNIC go after those of its flows, and what has no slot nobody would find. */
static int slot_free(struct net_switch *s, const struct sw_shape *sh, uint32_t class_)
{
	uint32_t slot = (class_ - 1) / SHAPE_CLASSES;
	int r = shape_classes_delete(s, sh, class_);

	return r < 0 ? r : bpf_del(s->map[SWM_SHAPE_SLOTS], &slot, NULL);
}

/* ---- maps ---- */

int shape_get(struct net_switch *s, uint32_t ifindex, struct sw_shape *sh, struct sw_shape_flows *f, struct err *e)
{
	struct sw_shape one;
	int r = bpf_get(s->map[SWM_SHAPES], &ifindex, &one, NULL);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && f && one.nflows)
		r = bpf_get(s->map[SWM_SHAPE_FLOWS], &ifindex, f, NULL);
	if (r < 0)
		return err_sys(e, r, "bandwidth of port %u", ifindex);
	if (sh)
		*sh = one;
	return 1;
}

/* ---- changed ---- */

static const struct sw_shape_flow *named(const struct sw_shape_flows *f, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (strncmp(f->f[i].name, name, sizeof f->f[i].name) == 0)
			return &f->f[i];
	return NULL;
}

/* The classes of the new state: those of the old one's where the name is the same. */
static int take_slots(struct net_switch *s, uint32_t ifindex, const struct sw_shape *old, const struct sw_shape_flows *was, struct sw_shape *sh,
		      struct sw_shape_flows *f, struct err *e)
{
	int r = old->class_ ? 0 : slot_take(s, sh, ifindex, &sh->class_, e);

	if (old->class_)
		sh->class_ = old->class_;
	for (uint32_t i = 0; r == 0 && i < sh->nflows; i++) {
		const struct sw_shape_flow *o = named(was, old->nflows, f->f[i].name);

		f->f[i].class_ = o ? o->class_ : 0;
		if (!o)
			r = slot_take(s, sh, ifindex, &f->f[i].class_, e);
	}
	return r;
}

/* Whose name is not among the others. */
static void free_flows(struct net_switch *s, const struct sw_shape *sh, const struct sw_shape_flows *f, uint32_t n, const struct sw_shape_flows *keep, uint32_t nkeep)
{
	for (uint32_t i = 0; i < n; i++)
		if (f->f[i].class_ && !named(keep, nkeep, f->f[i].name))
			slot_free(s, sh, f->f[i].class_);
}

static int write_all(struct net_switch *s, uint32_t ifindex, const struct sw_shape *sh, const struct sw_shape_flows *f, struct err *e)
{
	int r = shape_classes_put(s, sh, f, e);

	if (r == 0)
		r = failpoint("shape-classes", e);
	if (r == 0 && sh->nflows)
		r = bpf_put(s->map[SWM_SHAPE_FLOWS], &ifindex, f, e);
	if (r == 0)
		r = bpf_put(s->map[SWM_SHAPES], &ifindex, sh, e);
	if (r == 0 && !sh->nflows)
		r = bpf_del(s->map[SWM_SHAPE_FLOWS], &ifindex, e);
	return r < 0 ? r : port_flag(s, ifindex, PORT_SHAPED, true, e);
}

/* Who finds the element, with the switch's lock in hand, comes after a command that was killed between the classes and the maps. */
static int change_begin(struct net_switch *s, struct err *e)
{
	uint32_t key = CHANGING, none = 0;

	return bpf_put(s->map[SWM_SHAPE_SLOTS], &key, &none, e);
}

static void change_end(struct net_switch *s)
{
	uint32_t key = CHANGING;

	bpf_del(s->map[SWM_SHAPE_SLOTS], &key, NULL);
}

static int forget(struct net_switch *s, uint32_t ifindex, const struct sw_shape *sh, const struct sw_shape_flows *f, struct err *e)
{
	struct sw_shape_flows none = {0};
	struct err miss = ERR_INIT;
	int r = port_flag(s, ifindex, PORT_SHAPED, false, &miss);

	if (r < 0 && r != -ENOENT) {
		if (e)
			*e = miss;
		return r;
	}
	r = failpoint("shape-flag", e);
	if (r == 0)
		r = bpf_del(s->map[SWM_SHAPES], &ifindex, e);
	if (r == 0)
		r = bpf_del(s->map[SWM_SHAPE_FLOWS], &ifindex, e);
	if (r == 0)
		r = failpoint("shape-forget", e);
	if (r < 0)
		return r;
	free_flows(s, sh, f, sh->nflows, &none, 0);
	if (slot_free(s, sh, sh->class_) == 0)
		change_end(s);
	return 0;
}

int shape_forget(struct net_switch *s, uint32_t ifindex, struct err *e)
{
	struct sw_shape_flows f = {0};
	struct sw_shape sh;
	struct sw_port p;
	int r = shape_get(s, ifindex, &sh, &f, e);

	/* one that was to get a ceiling, by a command that was killed, is closed */
	if (r == 0 && bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL) == 0 && (p.flags & PORT_SHAPED))
		return port_flag(s, ifindex, PORT_SHAPED, false, e);
	if (r <= 0)
		return r;
	r = change_begin(s, e);
	return r < 0 ? r : forget(s, ifindex, &sh, &f, e);
}

static bool uses(const struct sw_shape *sh, const struct sw_shape_flows *f, uint32_t class_)
{
	for (uint32_t i = 0; i < sh->nflows; i++)
		if (f->f[i].class_ == class_)
			return true;
	return sh->class_ == class_;
}

/* The map has a VNIC and its flows in any order. True: some have gone, and one that could not may now. */
static bool slots_pass(struct net_switch *s, const struct sw_shape *wires)
{
	bool have = false, gone = false, left = false;
	uint32_t slot, next, owner;

	while (bpf_next(s->map[SWM_SHAPE_SLOTS], have ? &slot : NULL, &next, NULL) == 1) {
		struct sw_shape_flows f = {0};
		struct sw_shape sh = {0};

		if (next < SLOTS && bpf_get(s->map[SWM_SHAPE_SLOTS], &next, &owner, NULL) == 0 && shape_get(s, owner, &sh, &f, NULL) >= 0 &&
		    !uses(&sh, &f, next * SHAPE_CLASSES + 1)) {
			if (slot_free(s, wires, next * SHAPE_CLASSES + 1) == 0) {
				gone = true;
				continue;
			}
			left = true;
		}
		slot = next;
		have = true;
	}
	return gone && left;
}

static bool flows_nobodys(const void *key, int map, const void *arg)
{
	const struct net_switch *s = arg;
	struct sw_shape sh;

	return bpf_get(s->map[SWM_SHAPES], key, &sh, NULL) == -ENOENT;
}

/* What a command that was killed took for a port, or did not give back. */
static void slots_sweep(struct net_switch *s)
{
	struct sw_shape wires = {0};
	uint32_t first;

	map_forget(s->map[SWM_SHAPE_FLOWS], sizeof(uint32_t), flows_nobodys, s);
	if (bpf_next(s->map[SWM_SHAPE_SLOTS], NULL, &first, NULL) != 1 || shape_wires(s, &wires.wire_out, &wires.wire_in, NULL) < 0)
		return;
	while (slots_pass(s, &wires))
		;
}

void shape_sweep(struct net_switch *s)
{
	uint32_t key, next;
	bool have = false;
	struct sw_port p;

	while (bpf_next(s->map[SWM_SHAPES], have ? &key : NULL, &next, NULL) == 1)
		if (bpf_get(s->map[SWM_PORTS], &next, &p, NULL) != -ENOENT || shape_forget(s, next, NULL) < 0) {
			key = next;
			have = true;
		}
	slots_sweep(s);
}

void shape_settle(struct net_switch *s)
{
	uint32_t key = CHANGING, none;

	if (bpf_get(s->map[SWM_SHAPE_SLOTS], &key, &none, NULL) < 0)
		return;
	slots_sweep(s);
	change_end(s);
}

int shape_set_all(struct net_switch *s, uint32_t ifindex, uint64_t kbit, enum shape_prio prio, const struct sw_shape_flow *flow, uint32_t n, struct err *e)
{
	struct sw_shape_flows was = {0}, f = {0};
	struct sw_shape old = {0}, sh = {.kbit = kbit, .capped = kbit != 0, .prio = prio, .nflows = n};
	struct sw_port p = {0};
	int r;

	if (n > SHAPE_FLOWS)
		return err_set(e, E2BIG, "a VNIC has at most %d flows", SHAPE_FLOWS);
	if (!kbit && !n)
		return shape_forget(s, ifindex, e);
	if (n)
		memcpy(f.f, flow, n * sizeof *flow);
	bpf_get(s->map[SWM_PORTS], &ifindex, &p, NULL);
	r = shape_get(s, ifindex, &old, &was, e);
	if (r >= 0)
		r = shape_wires(s, &sh.wire_out, &sh.wire_in, e);
	if (r == 0)
		r = change_begin(s, e);
	if (r < 0)
		return err_add(e, "bandwidth");
	r = take_slots(s, ifindex, &old, &was, &sh, &f, e);
	if (r == 0)
		r = write_all(s, ifindex, &sh, &f, e);
	if (r == 0) {
		free_flows(s, &sh, &was, old.nflows, &f, n);
		change_end(s);
		return 0;
	}
	if (old.class_)
		write_all(s, ifindex, &old, &was, NULL);
	else if (!(p.flags & PORT_SHAPED)) /* else it is one to be, closed until it has its ceiling: it stays that for who takes it away */
		port_flag(s, ifindex, PORT_SHAPED, false, NULL);
	free_flows(s, &sh, &f, n, &was, old.nflows);
	if (!old.class_) {
		bpf_del(s->map[SWM_SHAPES], &ifindex, NULL);
		bpf_del(s->map[SWM_SHAPE_FLOWS], &ifindex, NULL);
		if (sh.class_)
			slot_free(s, &sh, sh.class_);
	}
	return err_add(e, "bandwidth");
}
