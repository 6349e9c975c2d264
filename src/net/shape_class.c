/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The classes of a VNIC, the same on both wires:
 *
 *	VNIC          ceiling: its maxbw
 *	├─ small      frames of at most 256 bytes
 *	├─ large
 *	└─ flow       ceiling: its own
 *	   ├─ small
 *	   └─ large
 *
 * What the leaves have for themselves together is never more than the VNIC's ceiling, for HTB takes nothing from a class that stays
 * below its own rate; the rest of it is lent by priority.
 */
#include "base/own.h"
#include "kern/qdisc.h"
#include "net/shape.h"

#define UNLIMITED 125000000000ULL         /* bytes a second: of a VNIC that has flows and no ceiling */
#define BURST_US  4000                    /* what may come at once: so long at full rate; a timer that is late by less costs nothing */
#define BURST_MIN 4000
#define QUEUE_MS  25
#define QUEUE_MIN (192u << 10)            /* less would not hold two segments of 64 KiB and what comes between */
#define QUEUE_MAX (16u << 20)

static uint32_t clamp(uint64_t v, uint32_t lo, uint32_t hi)
{
	return v < lo ? lo : v > hi ? hi : (uint32_t)v;
}

/* A VNIC or a flow. */
struct group {
	uint32_t class_, parent, prio;
	uint64_t rate, ceil;         /* of the group */
	uint64_t small, large;       /* what its leaves have for themselves */
};

static uint64_t at_least(uint64_t rate)
{
	return rate < 1000 ? 1000 : rate;
}

static int put_group(struct net_switch *s, int wire, const struct group *g, struct err *e)
{
	uint32_t burst = clamp(g->ceil * BURST_US / 1000000, BURST_MIN, UINT32_MAX);
	/* a turn is ten milliseconds, and no more than the largest segment */
	uint32_t quantum = clamp(g->ceil / 100, 3000, 68000);
	struct qdisc_class c = {.minor = g->class_, .parent = g->parent, .rate = at_least(g->rate), .ceil = at_least(g->ceil), .burst = burst, .quantum = quantum};
	int r = qdisc_class(s->rtnl, wire, &c, e);

	c.parent = g->class_;
	for (uint32_t i = 0; r == 0 && i < 2; i++) {
		c.minor = g->class_ + 1 + i;
		c.rate = at_least(i ? g->large : g->small);
		c.prio = g->prio * 2 + i;
		r = qdisc_class(s->rtnl, wire, &c, e);
	}
	return r < 0 ? r : qdisc_queue(s->rtnl, wire, g->class_ + 2, clamp(g->ceil * QUEUE_MS / 1000, QUEUE_MIN, QUEUE_MAX), e);
}

/* Without flows a tenth is kept for small frames. With them a fifth of all is kept for everybody, and four are lent by priority. */
static int put_classes(struct net_switch *s, int wire, const struct sw_shape *sh, const struct sw_shape_flows *f, struct err *e)
{
	uint64_t all = sh->kbit ? sh->kbit * 125 : UNLIMITED, share = all / 5 / (sh->nflows + 1);
	struct group g = {.class_ = sh->class_, .prio = sh->prio, .rate = all, .ceil = all, .small = all / 10, .large = all - all / 10};
	int r;

	if (sh->nflows)
		g.small = g.large = share / 2;
	r = put_group(s, wire, &g, e);
	for (uint32_t i = 0; r == 0 && i < sh->nflows; i++) {
		uint64_t mine = f->f[i].kbit ? f->f[i].kbit * 125 : all;

		g = (struct group){.class_ = f->f[i].class_, .parent = sh->class_, .prio = f->f[i].prio, .ceil = mine < all ? mine : all};
		g.rate = sh->kbit && share < g.ceil ? share : g.ceil;
		g.small = sh->kbit ? g.rate / 2 : g.rate / 10;
		g.large = g.rate - g.small;
		r = put_group(s, wire, &g, e);
	}
	return r;
}

int shape_classes_put(struct net_switch *s, const struct sw_shape *sh, const struct sw_shape_flows *f, struct err *e)
{
	int r = put_classes(s, (int)sh->wire_out, sh, f, e);

	return r < 0 ? r : put_classes(s, (int)sh->wire_in, sh, f, e);
}

int shape_classes_delete(struct net_switch *s, const struct sw_shape *sh, uint32_t class_)
{
	uint32_t wires[] = {sh->wire_out, sh->wire_in};
	int r = 0;

	for (size_t w = 0; w < ARRAY_LEN(wires); w++)
		for (uint32_t i = SHAPE_CLASSES; i-- > 0;) {
			int one = qdisc_class_delete(s->rtnl, (int)wires[w], class_ + i, NULL);

			r = r < 0 ? r : one;
		}
	return r;
}

int shape_count(struct net_switch *s, const struct sw_shape *sh, uint32_t class_, struct shape_count *out, struct err *e)
{
	struct qdisc_count o, i;
	struct qdisc_class c;
	int r = qdisc_class_get(s->rtnl, (int)sh->wire_out, class_, &c, &o, e);

	if (r == 0)
		r = qdisc_class_get(s->rtnl, (int)sh->wire_in, class_, &c, &i, e);
	if (r < 0)
		return r;
	*out = (struct shape_count){o.bytes, o.packets, 0, i.bytes, i.packets, 0};
	for (uint32_t n = 1; r == 0 && n < SHAPE_CLASSES; n++) { /* an inner class has dropped nothing: its leaves have */
		r = qdisc_class_get(s->rtnl, (int)sh->wire_out, class_ + n, &c, &o, e);
		if (r == 0)
			r = qdisc_class_get(s->rtnl, (int)sh->wire_in, class_ + n, &c, &i, e);
		out->odrops += r == 0 ? o.drops : 0;
		out->rdrops += r == 0 ? i.drops : 0;
	}
	return r;
}
