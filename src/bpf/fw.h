/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The firewall of VMs: what leaves the sender and what enters the receiver, in one go, where the frame comes in. A flow that is
 * there costs one look; rules are asked for what begins one, and for what belongs to none.
 *
 *	frame → flow there? ─ yes, both ends have let it begin: on
 *	           └ no: may it begin one? → sender's list, out → receiver's list, in → remembered
 */
#ifndef CLOISTER_BPF_FW_H
#define CLOISTER_BPF_FW_H

#include "flow.h"

#define FW_LIST_MAX 8192
#define FW_GRACE    (120ull * 1000000000) /* TCP in the middle is let on for so long after a firewall is switched on */

#define ZONE_OF(vnic) ((vnic) >> 5)

struct fw_ask {
	void *list;
	__u32 base, len;
	__u32 peer[4];
	__u16 port;
	__u8 family, proto;
	__u8 found; /* then base is where it stands */
	__u8 block : 1, log : 1;
};

/* k: zeros, but for what the caller has had in bits. */
INLINE int rule_matches(const struct sw_rule *r, const struct fw_ask *a, struct sw_addr_key *k)
{
	const __u32 *ip = (const void *)r->ip, *mask = (const void *)r->mask;

	if ((r->family && r->family != a->family) || (r->proto && r->proto != a->proto))
		return 0;
	if (r->nports) {
		__s64 miss = -1; /* without a branch for each: the kernel would follow every combination of them */

		for (int i = 0; i < 8; i++)
			miss &= ((__s64)a->port - r->port[i].lo) | ((__s64)r->port[i].hi - a->port);
		if (miss < 0)
			return 0;
	}
	if (r->peer == FW_RULE_ANY)
		return 1;
	if (r->peer == FW_RULE_NET)
		return ((a->peer[0] & mask[0]) == ip[0]) & ((a->peer[1] & mask[1]) == ip[1]) & ((a->peer[2] & mask[2]) == ip[2]) &
		       ((a->peer[3] & mask[3]) == ip[3]);
	k->list = r->set;
	k->family = a->family;
	__builtin_memcpy(k->ip, a->peer, 16);
	/* an address; else one of a prefix. The trie's key has the other in it: there is no room for two */
	if (bpf_map_lookup_elem(&fw_sets, &k->list))
		return 1;
	k->bits = a->family == 4 ? 96 : 192;
	k->family |= SW_OF_SET;
	return bpf_map_lookup_elem(&addrs, k) != 0;
}

static long try_rule(__u32 i, struct fw_ask *a)
{
	struct sw_addr_key k = {.bits = a->base + i}; /* also where in the list: see docs/decisions/network.md of the stack */
	struct sw_rule *r = bpf_map_lookup_elem(a->list, &k.bits);

	if (!r)
		return 1;
	if (!rule_matches(r, a, &k))
		return 0;
	__sync_fetch_and_add(&r->packets, 1);
	__sync_fetch_and_add(&r->bytes, a->len);
	a->found = 1;
	a->block = r->block;
	a->log = r->log;
	a->base += i;
	return 1;
}

struct fw_question {
	__u32 zone;
	__u32 from : 24;  /* the port that it comes from, or what of its index has room here: who has which bucket of the log. 0: not told */
	__u32 out : 1;
	__u32 turned : 1; /* the packet goes against the way in which the flow began */
	__u32 middle : 1; /* TCP that does not begin anything */
	__u32 log : 1;    /* the port's: what is dropped is told */
};

/* What came of it is told where somebody wants to know: the reason, and whether it is. */
INLINE int told(const struct fw_question *q, const struct packet *p, struct fw_ask *a, int why)
{
	__u32 may = q->from ? log_may(q->zone, q->from) : 0;

	if (may)
		log_packet(p, a->found ? bpf_map_lookup_elem(a->list, &a->base) : 0, q->zone, may, VERDICT(q->from, q->out, why));
	return why && q->from ? why | LOGGED : why; /* also what was left out: it is counted as that */
}

/* 0, or why not. In both directions the port is that of who is asked for something. */
SUBPROG int fw_ask(const struct fw_question *q, const struct packet *p)
{
	struct fw_ask a = {};
	__u32 zero = 0, zone, n;
	struct sw_fw_head *h;
	__u64 *at, place;
	int no;

	if (!q || !p)
		return DROP_FW_IN;
	no = q->out ? DROP_FW_OUT : DROP_FW_IN;
	a.family = p->family;
	a.proto = p->proto;
	zone = q->zone;
	at = bpf_map_lookup_elem(&fw_zones, &zone);
	if (at) { /* else one that a program of before has been given, under the zone's own number */
		place = *(volatile __u64 *)at;
		if ((__u32)place != zone)
			return no;
		zone = place >> 32;
	}
	a.list = bpf_map_lookup_elem(&fw_lists, &zone);
	if (!a.list)
		return no;
	h = bpf_map_lookup_elem(a.list, &zero);
	if (!h)
		return no;
	if (q->middle)
		return h->since && bpf_ktime_get_coarse_ns() - h->since < FW_GRACE ? 0 : DROP_FW_STATE;
	/* out: the peer is who it goes to, unless it answers */
	__builtin_memcpy(a.peer, q->out != q->turned ? p->dst : p->src, 16);
	if (p->proto == IPP_ICMP || p->proto == IPP_ICMP6)
		a.port = p->type << 8 | p->code;
	else
		a.port = bpf_ntohs(q->turned ? p->sport : p->dport);
	a.len = p->end;
	a.base = q->out ? 1 + h->nin : 1;
	n = q->out ? h->nout : h->nin;
	bpf_loop(n < FW_LIST_MAX ? n : FW_LIST_MAX, try_rule, &a, 0);
	if (a.found) {
		no = a.block ? no : 0;
		return a.log || (no && q->log) ? told(q, p, &a, no) : no;
	}
	__sync_fetch_and_add(q->out ? &h->out_packets : &h->in_packets, 1);
	__sync_fetch_and_add(q->out ? &h->out_bytes : &h->in_bytes, a.len);
	return q->out ? 0 : q->log ? told(q, p, &a, no) : no;
}

#define END_FROM 1 /* which of the two have a firewall */
#define END_TO   2

struct fw_ends {
	__u32 sw;
	__u32 from, to; /* zones */
	__u16 from_flags, to_flags; /* no larger: there is no room on the stack */
	__u32 port;  /* that it comes from */
	__u32 walls;
};

INLINE int ask_both(const struct fw_ends *x, const struct packet *p, int middle)
{
	struct fw_question q = {.out = 1, .middle = middle};
	int r = 0;

	if (!x || !p)
		return DROP_FW_IN;
	q.zone = x->from;
	q.from = x->port;
	q.log = (x->from_flags & PORT_LOG) != 0;
	if (x->walls & END_FROM)
		r = fw_ask(&q, p);
	if (r == 0 && (x->walls & END_TO)) {
		q.zone = x->to;
		q.out = 0;
		q.log = (x->to_flags & PORT_LOG) != 0;
		r = fw_ask(&q, p);
	}
	return r;
}

/*
 * An answer to who asks for an address is let through before any rule: nobody else on the link may send one. So is a question to all, and no other:
 * a way past the rules to whoever listens is nothing that a lease needs.
 */
INLINE int is_lease(const struct packet *p, int server)
{
	if (!server && (p->family == 4 ? p->dst[0] != 0xffffffff : *(const __u8 *)p->dst != 0xff))
		return 0;
	__u32 want = p->family == 4 ? server ? 67 << 16 | 68 : 68 << 16 | 67 : server ? 547 << 16 | 546 : 546 << 16 | 547;

	return p->proto == IPP_UDP && p->what == PKT_FLOW && ((__u32)bpf_ntohs(p->sport) << 16 | bpf_ntohs(p->dport)) == want;
}

/*
 * And it is one by its form, to this very client where the frame is: whoever sends from outside by a server's port has no more than that past the
 * rules. at: behind UDP's header.
 */
SUBPROG int is_answer(struct __sk_buff *skb, __u32 at, __u32 v6)
{
	__u8 b[6] = {}, to[6] = {};
	__u32 cookie = 0;

	if (skb->gso_size || bpf_skb_load_bytes(skb, at, b, 3) < 0 || bpf_skb_load_bytes(skb, 0, to, 6) < 0)
		return 0;
	if (v6) /* ADVERTISE, REPLY, RECONFIGURE */
		return b[0] == 2 || b[0] == 7 || b[0] == 10;
	if (b[0] != 2 || b[1] != 1 || b[2] != 6 || bpf_skb_load_bytes(skb, at + 28, b, 6) < 0 || bpf_skb_load_bytes(skb, at + 236, &cookie, 4) < 0)
		return 0;
	return cookie == bpf_htonl(0x63825363) && ((to[0] & 1) || mac_eq(b, to));
}

/* Remembers what has just been let begin, or which fragments may follow. */
INLINE int remember(struct flow_wish *w, const struct fw_ends *x, const struct packet *p, int end)
{
	w->c.zone[0] = end ? x->to : x->from;
	w->c.zone[1] = end ? x->from : x->to;
	w->c.from = end;
	w->c.asked = end ? x->walls >> 1 | (x->walls & 1) << 1 : x->walls;
	w->c.owner = x->from ? x->from : x->to | SW_OUTSIDE;
	w->c.until = w->k.kind == FLOW_FRAGMENT ? KEEP_FRAGMENT : flow_keep(&w->c, p->proto);
	return flow_add(w);
}

SUBPROG int fragments_follow(const struct fw_ends *x, const struct packet *p)
{
	struct flow_wish w = {};
	struct sw_flow *c;

	if (!x || !p)
		return DROP_FRAGMENT;
	fragment_key(&w.k, x->sw, p);
	c = bpf_map_lookup_elem(&flows, &w.k);
	if (c && c->zone[0] == x->from && c->zone[1] == x->to) { /* the id is used again */
		c->until = flow_now() + KEEP_FRAGMENT;
		c->asked = x->walls;
		return 0;
	}
	if (c)
		bpf_map_delete_elem(&flows, &w.k);
	return remember(&w, x, p, 0);
}

SUBPROG int later_fragment(const struct fw_ends *x, const struct packet *p)
{
	struct sw_flow_key k = {};
	struct sw_flow *c;

	if (!x || !p)
		return DROP_FRAGMENT;
	fragment_key(&k, x->sw, p);
	c = bpf_map_lookup_elem(&flows, &k);
	if (!c || c->zone[0] != x->from || c->zone[1] != x->to || c->until < flow_now() || (c->asked & x->walls) != x->walls)
		return DROP_FRAGMENT;
	return 0;
}

/* Of an ICMP error: what of the walls is left to ask, since its receiver has the flow that it is about. Its sender may be a router on the way, which then has to ask for itself. */
SUBPROG __u32 error_walls(struct __sk_buff *skb, const struct fw_ends *x, const struct packet *p)
{
	struct packet in = {};
	struct sw_flow_key k = {};
	struct sw_flow *c;
	int end;

	if (!x || !p)
		return END_FROM | END_TO;
	if (!packet_inside(skb, p, &in))
		return x->walls;
	end = flow_key(&k, x->sw, &in);
	c = bpf_map_lookup_elem(&flows, &k);
	if (!c || c->until < flow_now() || (end ? c->zone[1] : c->zone[0]) != x->to)
		return x->walls;
	return (end ? c->zone[0] : c->zone[1]) == x->from ? 0 : x->walls & ~END_TO;
}

/* The firewall of one end was switched on when the flow was there: what would it have said then? */
INLINE int ask_late(const struct sw_flow *c, __u32 missing, const struct packet *p, int end)
{
	int turned = end != c->from, r = 0;

	for (int i = 0; i < 2; i++) {
		struct fw_question q = {.zone = c->zone[i], .out = c->from == i, .turned = turned};

		if (r || !(missing & (1 << i)))
			continue;
		if (p->proto == IPP_TCP) {
			q.middle = 1;
			if (fw_ask(&q, p) == 0)
				continue;
			q.middle = 0;
		}
		r = fw_ask(&q, p);
	}
	return r;
}

/* A packet of a flow, or one that no flow is made of. */
SUBPROG int fw_flow(const struct fw_ends *x, const struct packet *p)
{
	struct flow_wish w = {};
	__u32 walls, now, until;
	int end, middle = 0, r;
	struct sw_flow *c;

	if (!x || !p)
		return DROP_FW_IN;
	if (p->what == PKT_LONE)
		return ask_both(x, p, 0);
	end = flow_key(&w.k, x->sw, p);
	walls = end ? x->walls >> 1 | (x->walls & 1) << 1 : x->walls;
	now = flow_now();
	c = bpf_map_lookup_elem(&flows, &w.k);
	if (c && c->until >= now && c->zone[0] == (end ? x->to : x->from) && c->zone[1] == (end ? x->from : x->to)) {
		r = flow_step(c, p, end);
		if (r == STEP_DROP)
			return DROP_FW_STATE;
		if (r != STEP_NEW) {
			__u32 missing = walls & ~c->asked;

			if (missing) {
				int no = ask_late(c, missing, p, end);

				if (no)
					return no;
				c->asked |= missing;
			}
			until = now + flow_keep(c, p->proto);
			if (r == STEP_ON && c->until != until)
				c->until = until;
			return 0;
		}
	}
	if (p->what == PKT_REPLY)
		return DROP_FW_STATE;
	if (p->proto == IPP_TCP && (p->tcp & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		if ((p->tcp & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) != TCP_ACK)
			return DROP_FW_STATE;
		middle = 1;
		w.c.state = FLOW_OPEN;
	}
	r = ask_both(x, p, middle);
	if (r)
		return r;
	if (c) {
		/* of two others: who may send from any address passes by the rules, and takes nobody's flow away */
		if (c->until >= now && x->from && !(x->from_flags & PORT_IP_NOSPOOF) && c->zone[0] != x->from && c->zone[1] != x->from)
			return 0;
		bpf_map_delete_elem(&flows, &w.k);
	}
	return remember(&w, x, p, end);
}

/*
 * 1: a segment in the middle of a connection, by IPv4 without options, of which fw_flow() would say the same: that costs half of all that a firewall
 * adds to it. Whatever begins or ends something, or finds it otherwise than the one before, is fw_flow()'s.
 */
SUBPROG int fw_established(struct __sk_buff *skb, const struct fw_ends *x)
{
	const struct eth *e = (void *)(long)skb->data;
	const struct ip4 *h = (const void *)(e + 1);
	const __u8 *t = (const void *)(h + 1);
	struct sw_flow_key k = {.family = 4, .proto = IPP_TCP};
	__u32 now, until, walls;
	__be16 port[2];
	struct sw_flow *c;
	int end;

	if (!x || (const void *)(t + 14) > (const void *)(long)skb->data_end || e->proto != bpf_htons(P_IP4) || h->vihl != 0x45 || h->proto != IPP_TCP ||
	    (h->frag & bpf_htons(0x3fff)) || (t[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK || (!skb->gso_segs && bpf_ntohs(h->len) < 34))
		return 0;
	__builtin_memcpy(port, t, 4);
	k.sw = x->sw;
	walls = ((x->from_flags & PORT_FIREWALL) ? END_FROM : 0) | ((x->to_flags & PORT_FIREWALL) ? END_TO : 0);
	end = h->src != h->dst ? h->src > h->dst : port[0] > port[1]; /* as flow_key() */
	if (end) {
		k.port[0] = port[1];
		k.port[1] = port[0];
		__builtin_memcpy(k.ip[0], &h->dst, 4);
		__builtin_memcpy(k.ip[1], &h->src, 4);
		walls = walls >> 1 | (walls & 1) << 1;
	} else {
		__builtin_memcpy(k.port, port, 4);
		__builtin_memcpy(k.ip[0], &h->src, 4);
		__builtin_memcpy(k.ip[1], &h->dst, 4);
	}
	c = bpf_map_lookup_elem(&flows, &k);
	if (!c || c->state != FLOW_OPEN || c->fin || (walls & ~c->asked) || c->zone[0] != (end ? x->to : x->from) || c->zone[1] != (end ? x->from : x->to))
		return 0;
	now = flow_now();
	if (c->until < now)
		return 0;
	until = now + KEEP_OPEN;
	if (c->until != until)
		c->until = until;
	return 1;
}

/* What of the rest is left to ask when the packet is the link's own business, or of one who gets his address by DHCP. */
INLINE __u32 fw_walls(struct __sk_buff *skb, const struct fw_ends *x, const struct packet *p)
{
	__u32 walls = 0;

	if (p->what == PKT_LINK)
		return 0;
	if ((x->from_flags & PORT_FIREWALL) && p->what != PKT_OTHER && !((x->from_flags & PORT_DHCP_CLIENT) && is_lease(p, 0)))
		walls |= END_FROM;
	/* restricted: its VM wants nothing but IP */
	if ((x->to_flags & PORT_FIREWALL) && (p->what != PKT_OTHER || (x->to_flags & PORT_RESTRICTED)) &&
	    !((x->to_flags & PORT_DHCP_CLIENT) && is_lease(p, 1) && p->l4 + (p->family == 6 ? 12 : 248) <= p->end &&
	      is_answer(skb, p->l4 + 8, p->family == 6)))
		walls |= END_TO;
	return walls;
}

SUBPROG int fw_pass(struct __sk_buff *skb, struct fw_ends *x)
{
	struct packet p = {};
	int r = packet_of(skb, &p);

	if (r || !x)
		return r;
	x->walls = fw_walls(skb, x, &p);
	if (!x->walls)
		return 0;
	if (p.what == PKT_OTHER)
		return DROP_FW_IN;
	if (p.what == PKT_LATER)
		return later_fragment(x, &p);
	if (p.what == PKT_ERROR) {
		x->walls = error_walls(skb, x, &p);
		return ask_both(x, &p, 0);
	}
	r = fw_flow(x, &p);
	return r || !p.first ? r : fragments_follow(x, &p);
}

/* From f's port to the one behind d: 0, or why it is dropped. */
INLINE int firewall(const struct frame *f, const struct sw_dest *d)
{
	struct fw_ends x = {.sw = f->sw, .port = f->ifindex};

	if (!((f->port->flags | d->flags) & PORT_FIREWALL))
		return 0;
	x.from = ZONE_OF(f->port->vnic);
	x.to = ZONE_OF(d->vnic);
	x.from_flags = f->port->flags;
	x.to_flags = d->flags;
	return fw_established(f->skb, &x) ? 0 : fw_pass(f->skb, &x);
}

/* To a group: nothing is remembered of it, its answers are not known. The sender's part. */
SUBPROG int fw_group(struct __sk_buff *skb, struct fw_ends *x)
{
	struct packet p = {};
	int r = packet_of(skb, &p);

	if (r || !x)
		return r;
	x->walls = fw_walls(skb, x, &p);
	if (!x->walls)
		return 0;
	if (p.what == PKT_LATER)
		return later_fragment(x, &p);
	r = ask_both(x, &p, 0);
	return r || !p.first ? r : fragments_follow(x, &p);
}

INLINE int firewall_group(const struct frame *f)
{
	struct fw_ends x = {.sw = f->sw, .from = ZONE_OF(f->port->vnic), .from_flags = f->port->flags, .port = f->ifindex};

	return f->port->flags & PORT_FIREWALL ? fw_group(f->skb, &x) : 0;
}

/* One receiver's part. A later fragment says nothing of whether a rule lets it in. */
SUBPROG int fw_member(struct __sk_buff *skb, __u32 zone, __u32 flags, __u32 from)
{
	struct fw_question q = {.zone = zone, .log = (flags & PORT_LOG) != 0, .from = from};
	struct fw_ends x = {.to_flags = flags};
	struct packet p = {};
	int r = packet_of(skb, &p);

	if (r || !fw_walls(skb, &x, &p))
		return r;
	return p.what == PKT_OTHER ? DROP_FW_IN : p.what == PKT_LATER ? DROP_FRAGMENT : fw_ask(&q, &p);
}

#endif
