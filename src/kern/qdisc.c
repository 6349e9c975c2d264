/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/qdisc.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <string.h>

#include "kern/nlreq.h"

#define MAJOR      (1u << 16)
#define HTB_VERSION 3
#define TICK_NS    64 /* the unit of a burst: what /proc/net/psched has said since 2.6.31 */

static void begin(struct nlreq *m, uint16_t type, uint16_t flags, int ifindex, uint32_t handle, uint32_t parent)
{
	struct tcmsg *t = nlreq_begin(m, type, flags, sizeof *t);

	t->tcm_ifindex = ifindex;
	t->tcm_handle = handle;
	t->tcm_parent = parent;
}

/* What the kernel told of a class. */
struct answer {
	struct tc_htb_opt opt;
	uint64_t rate, ceil;
	struct qdisc_count count;
	int found;
};

static const struct rtattr *next(const struct rtattr *a, size_t *left)
{
	size_t n = RTA_ALIGN(a->rta_len);

	*left = n < *left ? *left - n : 0;
	return (const void *)((const char *)a + n);
}

static void take_options(const struct rtattr *nest, struct answer *out)
{
	size_t left = RTA_PAYLOAD(nest);

	for (const struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left); a = next(a, &left)) {
		if (a->rta_type == TCA_HTB_PARMS && RTA_PAYLOAD(a) >= sizeof out->opt) {
			memcpy(&out->opt, RTA_DATA(a), sizeof out->opt);
			out->rate = out->rate > out->opt.rate.rate ? out->rate : out->opt.rate.rate;
			out->ceil = out->ceil > out->opt.ceil.rate ? out->ceil : out->opt.ceil.rate;
		} else if (a->rta_type == TCA_HTB_RATE64 && RTA_PAYLOAD(a) >= 8) {
			memcpy(&out->rate, RTA_DATA(a), 8);
		} else if (a->rta_type == TCA_HTB_CEIL64 && RTA_PAYLOAD(a) >= 8) {
			memcpy(&out->ceil, RTA_DATA(a), 8);
		}
	}
}

static void take_stats(const struct rtattr *nest, struct qdisc_count *out)
{
	size_t left = RTA_PAYLOAD(nest);

	for (const struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left); a = next(a, &left)) {
		struct gnet_stats_basic b = {0};
		struct gnet_stats_queue q = {0};
		size_t n = RTA_PAYLOAD(a);

		if (a->rta_type == TCA_STATS_BASIC) {
			memcpy(&b, RTA_DATA(a), n < sizeof b ? n : sizeof b);
			out->bytes = b.bytes;
			out->packets = b.packets;
		} else if (a->rta_type == TCA_STATS_QUEUE) {
			memcpy(&q, RTA_DATA(a), n < sizeof q ? n : sizeof q);
			out->drops = q.drops;
			out->backlog = q.backlog;
		}
	}
}

static void take_class(const struct nlmsghdr *h, void *arg)
{
	struct answer *out = arg;
	size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(struct tcmsg));

	out->found = 1;
	for (const struct rtattr *a = TCA_RTA(NLMSG_DATA(h)); RTA_OK(a, left); a = next(a, &left)) {
		if ((a->rta_type & NLA_TYPE_MASK) == TCA_OPTIONS)
			take_options(a, out);
		else if ((a->rta_type & NLA_TYPE_MASK) == TCA_STATS2)
			take_stats(a, &out->count);
	}
}

/* 0 or -errno, as the kernel answers. out may be NULL. */
static int ask(int s, struct nlreq *m, struct answer *out)
{
	struct nlanswer a = {RTM_NEWTCLASS, sizeof(struct tcmsg), take_class, out};

	return nlreq_send(s, m, out ? &a : NULL, NULL);
}

int qdisc_htb(int s, int ifindex, struct err *e)
{
	struct tc_htb_glob g = {.version = HTB_VERSION, .rate2quantum = 10};
	struct rtattr *options;
	uint32_t none = 0;
	struct nlreq m;
	int r;

	begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, MAJOR, TC_H_ROOT);
	nlreq_put(&m, TCA_KIND, "htb", sizeof "htb");
	options = nlreq_nest(&m, TCA_OPTIONS);
	nlreq_put(&m, TCA_HTB_INIT, &g, sizeof g);
	/* what has no class waits in a queue of so many frames, and passes unbounded: none */
	nlreq_put(&m, TCA_HTB_DIRECT_QLEN, &none, sizeof none);
	nlreq_end(&m, options);
	r = ask(s, &m, NULL);
	if (r == -ENOENT)
		return err_set(e, EOPNOTSUPP, "this kernel has no HTB (sch_htb), which a ceiling on bandwidth needs");
	return r < 0 && r != -EEXIST ? err_sys(e, r, "HTB at interface %d", ifindex) : 0;
}

/* A 32-bit rate of an attribute that has a second one of 64 bits beside it. */
static struct tc_ratespec spec(uint64_t rate)
{
	/* with a layer named, the kernel asks for no table of rates */
	return (struct tc_ratespec){.linklayer = TC_LINKLAYER_ETHERNET, .rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate};
}

static uint32_t ticks(uint64_t rate, uint32_t bytes)
{
	uint64_t t = (uint64_t)bytes * 1000000000 / (rate ? rate : 1) / TICK_NS + 1;

	return t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

static int write_class(int s, int ifindex, const struct qdisc_class *c)
{
	struct tc_htb_opt opt = {.rate = spec(c->rate), .ceil = spec(c->ceil), .quantum = c->quantum, .prio = c->prio,
				 .buffer = ticks(c->rate, c->burst), .cbuffer = ticks(c->ceil, c->burst)};
	struct rtattr *options;
	struct nlreq m;

	begin(&m, RTM_NEWTCLASS, NLM_F_CREATE, ifindex, MAJOR | c->minor, c->parent ? MAJOR | c->parent : MAJOR);
	nlreq_put(&m, TCA_KIND, "htb", sizeof "htb");
	options = nlreq_nest(&m, TCA_OPTIONS);
	nlreq_put(&m, TCA_HTB_PARMS, &opt, sizeof opt);
	if (c->rate > UINT32_MAX)
		nlreq_put(&m, TCA_HTB_RATE64, &c->rate, sizeof c->rate);
	if (c->ceil > UINT32_MAX)
		nlreq_put(&m, TCA_HTB_CEIL64, &c->ceil, sizeof c->ceil);
	nlreq_end(&m, options);
	return ask(s, &m, NULL);
}

int qdisc_class(int s, int ifindex, const struct qdisc_class *c, struct err *e)
{
	struct qdisc_class now;
	int r = write_class(s, ifindex, c);

	if (r < 0)
		return err_sys(e, r, "bandwidth class 1:%x of interface %d", c->minor, ifindex);
	r = qdisc_class_get(s, ifindex, c->minor, &now, NULL, e);
	if (r == 0 && (now.rate != c->rate || now.ceil != c->ceil || now.prio != c->prio))
		r = err_set(e, EIO, "bandwidth class 1:%x of interface %d: the kernel has a rate of %llu and a ceiling of %llu bytes a second, not %llu and %llu", c->minor,
			    ifindex, (unsigned long long)now.rate, (unsigned long long)now.ceil, (unsigned long long)c->rate, (unsigned long long)c->ceil);
	return r;
}

int qdisc_class_get(int s, int ifindex, uint32_t minor, struct qdisc_class *out, struct qdisc_count *n, struct err *e)
{
	struct answer a = {0};
	struct nlreq m;
	int r;

	begin(&m, RTM_GETTCLASS, NLM_F_ECHO, ifindex, MAJOR | minor, 0);
	r = ask(s, &m, &a);
	if (r == 0 && !a.found)
		r = -ENOENT;
	if (r < 0)
		return err_sys(e, r, "read bandwidth class 1:%x of interface %d", minor, ifindex);
	*out = (struct qdisc_class){.minor = minor, .rate = a.rate, .ceil = a.ceil, .prio = a.opt.prio};
	if (n)
		*n = a.count;
	return 0;
}

int qdisc_class_delete(int s, int ifindex, uint32_t minor, struct err *e)
{
	struct nlreq m;
	int r;

	begin(&m, RTM_DELTCLASS, 0, ifindex, MAJOR | minor, 0);
	r = ask(s, &m, NULL);
	return r < 0 && r != -ENOENT && r != -ENODEV ? err_sys(e, r, "take away bandwidth class 1:%x of interface %d", minor, ifindex) : 0;
}

int qdisc_queue(int s, int ifindex, uint32_t minor, uint32_t bytes, struct err *e)
{
	struct tc_fifo_qopt q = {.limit = bytes};
	struct nlreq m;
	int r;

	begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex, 0, MAJOR | minor);
	nlreq_put(&m, TCA_KIND, "bfifo", sizeof "bfifo");
	nlreq_put(&m, TCA_OPTIONS, &q, sizeof q);
	r = ask(s, &m, NULL);
	return r < 0 ? err_sys(e, r, "queue of bandwidth class 1:%x of interface %d", minor, ifindex) : 0;
}
