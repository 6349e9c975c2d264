/* SPDX-License-Identifier: MPL-2.0 */
/* flowadm show-flow and show-flowprop; -s: what the flow's classes on the shaper wires have counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/flowadm.h"

struct show {
	struct ctx *c;
	struct state *st;
	struct net_switch s;
	bool up; /* there is a switch */
	struct dl_table t;
	struct fl_want want;
	const char *fields, *props;
	bool parse, stats;
	uint64_t every;
	struct buf out;
	struct err *e;
};

static void show_done(struct show *s)
{
	switch_close(&s->s);
	state_close(&s->st);
	buf_done(&s->out);
}

/* ---- show-flow ---- */

static const struct dl_column columns[] = {{"flow", 15}, {"link", 41}, {"ipaddr", 30}, {"proto", 7}, {"lport", 6}, {"rport", 6}, {"dsfld", 9}, {NULL, 0}};

static void put_net(struct buf *b, const char *side, int family, const struct flow_net *n)
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (!n->given)
		return;
	inet_ntop(family, n->ip, ip, sizeof ip);
	buf_printf(b, "%s%s:%s/%u", b->len ? "," : "", side, ip, n->prefix);
}

static const char *proto_name(uint8_t proto)
{
	return proto == 6 ? "tcp" : proto == 17 ? "udp" : proto == 132 ? "sctp" : proto == 1 ? "icmp" : proto == 58 ? "icmpv6" : NULL;
}

static int row(const struct flow *f, void *arg)
{
	struct show *s = arg;
	_buf_ struct buf ip = BUF_INIT;
	char link[64], lport[8] = "", rport[8] = "", ds[16] = "";
	const char *value[] = {f->name, link, NULL, proto_name(f->proto), lport, rport, ds};

	snprintf(link, sizeof link, "%s/%s", f->vm, f->nic);
	put_net(&ip, "LCL", f->family, &f->local);
	put_net(&ip, "RMT", f->family, &f->remote);
	value[2] = ip.len ? buf_str(&ip) : NULL;
	if (f->lport)
		snprintf(lport, sizeof lport, "%u", f->lport);
	if (f->rport)
		snprintf(rport, sizeof rport, "%u", f->rport);
	if (f->dsmask)
		snprintf(ds, sizeof ds, "0x%x:0x%x", f->ds, f->dsmask);
	dl_table_row(&s->t, value, &s->out);
	return 0;
}

/* ---- show-flow -s ---- */

static const struct dl_column stat_columns[] = {{"flow", 15}, {"link", 41}, {"ipackets", 10}, {"rbytes", 12}, {"ierrors", 8}, {"opackets", 10},
						{"obytes", 12}, {"oerrors", 8}, {NULL, 0}};

/* 1: the flow is in force at a port, and *out is what its classes have counted. */
static int count(struct show *s, const struct flow *f, struct shape_count *out)
{
	struct sw_shape_flows all;
	struct sw_shape sh;
	json_t *rec = NULL;
	const json_t *nic;
	uint32_t ifindex;
	int r = s->up ? state_vm_get(s->st, f->vm, &rec, NULL, NULL, NULL) : -ENOENT;

	nic = r == 0 ? flow_nic(rec, f->nic) : NULL;
	r = nic ? flow_port(s->c, &s->s, f->vm, nic, &ifindex, s->e) : 0;
	json_decref(rec);
	if (r == 1)
		r = shape_get(&s->s, ifindex, &sh, &all, s->e);
	for (uint32_t i = 0; r == 1 && i < sh.nflows; i++)
		if (str_eq(all.f[i].name, f->name)) {
			r = shape_count(&s->s, &sh, all.f[i].class_, out, s->e);
			return r < 0 ? r : 1;
		}
	return r < 0 ? r : 0;
}

static int stat_row(const struct flow *f, void *arg)
{
	struct show *s = arg;
	struct shape_count n = {0};
	char link[64], text[6][24];
	const char *value[] = {f->name, link, text[0], text[1], text[2], text[3], text[4], text[5]};
	int r = count(s, f, &n);

	if (r < 0)
		return r;
	snprintf(link, sizeof link, "%s/%s", f->vm, f->nic);
	snprintf(text[0], sizeof text[0], "%" PRIu64, n.rpackets);
	snprintf(text[1], sizeof text[1], "%" PRIu64, n.rbytes);
	snprintf(text[2], sizeof text[2], "%" PRIu64, n.rdrops);
	snprintf(text[3], sizeof text[3], "%" PRIu64, n.opackets);
	snprintf(text[4], sizeof text[4], "%" PRIu64, n.obytes);
	snprintf(text[5], sizeof text[5], "%" PRIu64, n.odrops);
	dl_table_row(&s->t, value, &s->out);
	return 0;
}

/* ---- show-flowprop ---- */

static const struct dl_column prop_columns[] = {{"flow", 15}, {"property", 12}, {"value", 10}, {"default", 10}, {"possible", 20}, {NULL, 0}};

static bool wanted(const struct show *s, const char *prop)
{
	size_t n = strlen(prop);

	for (const char *p = s->props; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, prop, n) == 0 && (!p[n] || p[n] == ','))
			return true;
	return !s->props;
}

static int prop_rows(const struct flow *f, void *arg)
{
	struct show *s = arg;
	char rate[32] = "";
	const char *bw[] = {f->name, "maxbw", rate, NULL, "100K-1000G"}, *prio[] = {f->name, "priority", f->priority, NULL, "low,medium,high"};

	if (f->kbit)
		snprintf(rate, sizeof rate, "%" PRIu64 "%s", f->kbit % 1000 ? f->kbit : f->kbit / 1000, f->kbit % 1000 ? "K" : "M");
	if (wanted(s, "maxbw"))
		dl_table_row(&s->t, bw, &s->out);
	if (wanted(s, "priority"))
		dl_table_row(&s->t, prio, &s->out);
	return 0;
}

/* ---- both ---- */

static int show_all(struct show *s, int (*each)(const struct flow *, void *))
{
	_clean_(switch_close) struct net_switch none = NET_SWITCH_INIT;
	struct err miss = ERR_INIT;
	int r = 0;

	s->s = none;
	if (s->stats) {
		r = switch_open(s->c, false, &s->s, &miss);
		s->up = r == 0;
		if (r < 0 && r != -ENOENT) {
			*s->e = miss;
			return r;
		}
	}
	r = fl_each(s->c, s->st, &s->want, each, s, s->e);
	/* who reads may take his time: not while we have the switch's lock */
	switch_close(&s->s);
	s->s = none;
	if (s->out.len)
		fputs(buf_str(&s->out), stdout);
	s->out.len = 0;
	fflush(stdout);
	return r;
}

static int go(struct show *s, const struct dl_column *all, const char *dflt, int (*each)(const struct flow *, void *))
{
	int r = dl_table_init(&s->t, all, dflt, s->fields, s->parse, s->e);

	if (r == 0)
		r = state_open(s->c, STATE_READ, &s->st, s->e);
	if (r == -ENOENT && !s->want.name)
		return 0; /* a node without a database has no flows */
	if (r == -ENOENT)
		err_set(s->e, ENOENT, "flow %s does not exist", s->want.name);
	for (;;) {
		if (r == 0)
			r = show_all(s, each);
		if (r < 0 || !s->every)
			return r < 0 ? cmd_fail(s->c, s->e) : 0;
		nanosleep(&(struct timespec){.tv_sec = (time_t)s->every}, NULL);
	}
}

static int options(struct show *s, int argc, char **argv, const char *verb, const char *opts)
{
	int o;

	while ((o = getopt(argc, argv, opts)) >= 0) {
		if (o == 'l')
			s->want.link = optarg;
		else if (o == 'z')
			s->want.zone = optarg;
		else if (o == 'o')
			s->fields = optarg;
		else if (o == 'p' && optarg)
			s->props = optarg;
		else if (o == 'p' || o == 'c')
			s->parse = true;
		else if (o == 's')
			s->stats = true;
		else if (o != 'i' || str_to_u64(optarg, &s->every) < 0 || s->every < 1 || s->every > 86400)
			return cmd_usage("flowadm", verb, o == 'i' ? "-i takes seconds" : NULL);
	}
	if (argc - optind > 1 || (s->every && !s->stats))
		return cmd_usage("flowadm", verb, s->every ? "-i goes with -s" : NULL);
	s->want.name = argv[optind]; /* NULL at the end */
	return 0;
}

static int run_show(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	_clean_(show_done) struct show s = {.c = c, .s = NET_SWITCH_INIT, .out = BUF_INIT, .e = &e};
	int r = options(&s, argc, argv, "show-flow", "l:z:o:psi:");

	if (r)
		return r;
	if (s.stats)
		return go(&s, stat_columns, "flow,ipackets,rbytes,ierrors,opackets,obytes,oerrors", stat_row);
	return go(&s, columns, "flow,link,ipaddr,proto,lport,rport,dsfld", row);
}
CMD(flowadm_show, "flowadm", "show-flow", "[-s [-i <seconds>]] [-p] [-z <zone>] [-l <link>] [-o <field>[,…]] [<flow>]", "list flows; -s: what they carried", CMD_NONE, run_show);

static int run_showprop(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	_clean_(show_done) struct show s = {.c = c, .s = NET_SWITCH_INIT, .out = BUF_INIT, .e = &e};
	int r = options(&s, argc, argv, "show-flowprop", "l:z:o:cp:");

	if (r)
		return r;
	for (const char *p = s.props; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		size_t n = strcspn(p, ",");

		if (!(n == 5 && strncmp(p, "maxbw", n) == 0) && !(n == 8 && strncmp(p, "priority", n) == 0)) {
			err_set(&e, EINVAL, "\"%.*s\" is no property of a flow", (int)n, p);
			return cmd_fail(c, &e);
		}
	}
	return go(&s, prop_columns, "flow,property,value,default,possible", prop_rows);
}
CMD(flowadm_showprop, "flowadm", "show-flowprop", "[-c] [-z <zone>] [-l <link>] [-o <field>[,…]] [-p <prop>[,…]] [<flow>]", "list what is set of flows", CMD_NONE, run_showprop);
