/* SPDX-License-Identifier: MPL-2.0 */
/* dladm show-link, show-vnic, show-etherstub: what there is, and with -s what it carried. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/dladm.h"

struct show {
	struct dl_links want;
	const char *fields;
	bool parse, zone, stats;
	uint64_t every;
};

static int options(int argc, char **argv, const char *verb, const char *opts, struct show *s)
{
	int o;

	while ((o = getopt(argc, argv, opts)) >= 0) {
		if (o == 'p')
			s->parse = true;
		else if (o == 'o')
			s->fields = optarg;
		else if (o == 'Z')
			s->zone = true;
		else if (o == 'z')
			s->want.zones = optarg;
		else if (o == 's')
			s->stats = true;
		else if (o != 'i' || str_to_u64(optarg, &s->every) < 0 || s->every < 1 || s->every > 86400)
			return cmd_usage("dladm", verb, o == 'i' ? "-i takes seconds" : NULL);
	}
	if (argc - optind > 1 || (s->every && !s->stats))
		return cmd_usage("dladm", verb, s->every ? "-i goes with -s" : NULL);
	s->want.name = argv[optind]; /* NULL at the end */
	return 0;
}

/* One flush at the end of each table: a reader that went away is told by main(). */
static void out(struct buf *b)
{
	if (b->len)
		fputs(buf_str(b), stdout);
	b->len = 0;
}

static int read_links(struct ctx *c, struct dl_links *l)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	int r = dl_state(c, STATE_READ, &st);

	return r ? r : dl_links_read(c, st, l, &e) < 0 ? cmd_fail(c, &e) : 0;
}

/* ---- statistics ---- */

enum { S_LINK, S_ZONE, S_IPACKETS, S_RBYTES, S_IERRORS, S_OPACKETS, S_OBYTES, S_OERRORS, S_N };
static const struct dl_column stat_columns[] = {{"link", 15}, {"zone", 12}, {"ipackets", 10}, {"rbytes", 12}, {"ierrors", 8}, {"opackets", 10},
						{"obytes", 12}, {"oerrors", 8}, {NULL, 0}};

/* The table's o and r are the VNIC's own: what it sent, what it received. Drops of what it tried to send are its output errors. */
static void numbers(const struct link_view *v, uint64_t n[6])
{
	n[0] = v->n.rpackets;
	n[1] = v->n.rbytes;
	n[2] = v->n.drops[DROP_FW_IN];
	n[3] = v->n.opackets;
	n[4] = v->n.obytes;
	n[5] = 0;
	for (int i = 1; i < DROP_REASONS; i++)
		n[5] += i == DROP_FW_IN ? 0 : v->n.drops[i];
}

static const struct link_view *same_before(const struct dl_links *l, const struct link_view *v)
{
	for (size_t i = 0; l && i < l->n; i++)
		if (l->v[i].zoneid == v->zoneid && l->v[i].class == v->class && str_eq(l->v[i].name, v->name) && !memcmp(l->v[i].mac, v->mac, 6))
			return &l->v[i];
	return NULL;
}

static void stat_row(struct dl_table *t, const struct link_view *v, const struct link_view *before, struct buf *b)
{
	uint64_t now[6], was[6] = {0};
	char text[6][24];
	const char *row[S_N] = {[S_LINK] = v->name, [S_ZONE] = v->zone};

	numbers(v, now);
	if (before)
		numbers(before, was);
	for (int i = 0; i < 6; i++) {
		snprintf(text[i], sizeof text[i], "%" PRIu64, now[i] >= was[i] ? now[i] - was[i] : now[i]);
		row[S_IPACKETS + i] = text[i];
	}
	dl_table_row(t, row, b);
}

/* First what was since the link is there, then what each interval brought. Ends with the reader or by a signal. */
static int show_stats(struct ctx *c, struct show *s)
{
	_clean_(dl_links_done) struct dl_links before = {0};
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct dl_table t;
	int r = dl_table_init(&t, stat_columns, s->zone ? "link,zone,ipackets,rbytes,ierrors,opackets,obytes,oerrors" :
			      "link,ipackets,rbytes,ierrors,opackets,obytes,oerrors", s->fields, s->parse, &e);

	if (r < 0)
		return cmd_fail(c, &e);
	for (bool first = true;; first = false) {
		_clean_(dl_links_done) struct dl_links now = s->want;

		r = read_links(c, &now);
		if (r)
			return r;
		for (size_t i = 0; i < now.n; i++)
			if (now.v[i].class == LINK_CLASS_VNIC)
				stat_row(&t, &now.v[i], first ? NULL : same_before(&before, &now.v[i]), &b);
		out(&b);
		if (fflush(stdout) != 0 || !s->every)
			return 0;
		dl_links_done(&before);
		before = now;
		now = (struct dl_links){0};
		nanosleep(&(struct timespec){.tv_sec = (time_t)s->every}, NULL);
	}
}

/* ---- show-link ---- */

enum { L_LINK, L_ZONE, L_CLASS, L_MTU, L_STATE, L_BRIDGE, L_OVER, L_N };
static const struct dl_column link_columns[] = {{"link", 15}, {"zone", 12}, {"class", 10}, {"mtu", 6}, {"state", 8}, {"bridge", 10}, {"over", 15}, {NULL, 0}};

static int run_link(struct ctx *c, int argc, char **argv)
{
	struct show s = {0};
	_clean_(dl_links_done) struct dl_links l = {0};
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct dl_table t;
	int r = options(argc, argv, "show-link", "po:Zz:si:", &s);

	if (r)
		return r;
	if (s.stats)
		return show_stats(c, &s);
	if (dl_table_init(&t, link_columns, s.zone ? "link,zone,class,mtu,state,bridge,over" : "link,class,mtu,state,bridge,over", s.fields, s.parse, &e) < 0)
		return cmd_fail(c, &e);
	l = s.want;
	r = read_links(c, &l);
	for (size_t i = 0; !r && i < l.n; i++) {
		char mtu[16];
		const char *row[L_N] = {l.v[i].name, l.v[i].zone, dl_class(&l.v[i]), mtu, l.v[i].class == LINK_CLASS_ETHERSTUB ? "unknown" : l.v[i].up ? "up" : "down",
					NULL, l.v[i].over};

		snprintf(mtu, sizeof mtu, "%u", l.v[i].mtu);
		dl_table_row(&t, row, &b);
	}
	out(&b);
	return r;
}
CMD(dladm_show_link, "dladm", "show-link", "[-p -o <field>[,…]] [-Z] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]",
    "list links: interfaces, etherstubs, VNICs; -s: what they carried", CMD_NONE, run_link);

/* ---- show-vnic ---- */

enum { V_LINK, V_OVER, V_SPEED, V_MAC, V_MACTYPE, V_VID, V_ZONE, V_N };
static const struct dl_column vnic_columns[] = {{"link", 15}, {"over", 15}, {"speed", 6}, {"macaddress", 17}, {"macaddrtype", 12}, {"vid", 5}, {"zone", 12}, {NULL, 0}};

static int run_vnic(struct ctx *c, int argc, char **argv)
{
	struct show s = {.want = {.vnics = true}};
	_clean_(dl_links_done) struct dl_links l = {0};
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct dl_table t;
	int r = options(argc, argv, "show-vnic", "po:z:si:", &s);

	if (r)
		return r;
	if (s.stats)
		return show_stats(c, &s);
	if (dl_table_init(&t, vnic_columns, "link,over,speed,macaddress,macaddrtype,vid,zone", s.fields, s.parse, &e) < 0)
		return cmd_fail(c, &e);
	l = s.want;
	r = read_links(c, &l);
	for (size_t i = 0; !r && i < l.n; i++) {
		const struct link_view *v = &l.v[i];
		char mac[18], vid[16];
		const char *row[V_N] = {v->name, v->over, "0", mac, v->random ? "random" : "fixed", vid, v->zone};

		snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
		snprintf(vid, sizeof vid, "%u", v->vid);
		dl_table_row(&t, row, &b);
	}
	out(&b);
	return r;
}
CMD(dladm_show_vnic, "dladm", "show-vnic", "[-p -o <field>[,…]] [-z <zone>[,…]] [-s [-i <seconds>]] [<link>]",
    "list VNICs with what they are on, link address, VLAN and zone", CMD_NONE, run_vnic);

static const struct dl_column stub_columns[] = {{"link", 15}, {NULL, 0}};

static int run_stub(struct ctx *c, int argc, char **argv)
{
	_clean_(dl_links_done) struct dl_links l = {.stubs = true};
	_buf_ struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct dl_table t;
	int r;

	if (argc > 2)
		return cmd_usage("dladm", "show-etherstub", NULL);
	l.name = argv[1];
	r = dl_table_init(&t, stub_columns, "link", NULL, false, &e);
	if (r == 0)
		r = read_links(c, &l);
	for (size_t i = 0; !r && i < l.n; i++)
		dl_table_row(&t, (const char *[]){l.v[i].name}, &b);
	out(&b);
	return r;
}
CMD(dladm_show_etherstub, "dladm", "show-etherstub", "[<etherstub>]", "list the etherstubs", CMD_NONE, run_stub);
