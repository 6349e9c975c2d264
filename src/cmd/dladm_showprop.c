/* SPDX-License-Identifier: MPL-2.0 */
/* dladm show-linkprop. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/dladm_prop.h"
#include "model/vm.h"
#include "node/vmops.h"

enum { C_LINK, C_ZONE, C_PROPERTY, C_PERM, C_VALUE, C_DEFAULT, C_POSSIBLE, C_N };
static const struct dl_column columns[] = {{"link", 12}, {"zone", 12}, {"property", 15}, {"perm", 4}, {"value", 14}, {"default", 14}, {"possible", 20}, {NULL, 0}};

static void add_word(struct buf *b, const char *w)
{
	buf_printf(b, "%s%s", b->len ? "," : "", w);
}

static void add_list(struct buf *b, const json_t *list, bool whole)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *s = json_string_value(o) ?: "";
		_free_ char *addr = xprintf("%.*s", whole ? (int)strlen(s) : (int)strcspn(s, "/"), s);

		add_word(b, addr);
	}
}

/* What the record or the object says, which is what is enforced. */
static void value_of(const struct link_view *v, const json_t *o, enum dl_prop p, struct buf *b)
{
	bool vm = v->zoneid != 0, open_dhcp = vm_bool(o, "allow_dhcp_spoofing", false) || vm_bool(o, "dhcp_server", false);

	switch (p) {
	case DLP_PROTECTION:
		for (size_t i = 0; vm && o && i < DL_PROTECTIONS; i++)
			if (!vm_bool(o, dl_protections[i].allow, false) && !(i >= 2 && open_dhcp))
				add_word(b, dl_protections[i].name);
		if (!vm)
			add_list(b, json_object_get(o, "protection"), true);
		break;
	case DLP_ALLOWED:
		if (vm)
			add_list(b, json_object_get(o, "ips"), false);
		add_list(b, json_object_get(o, vm ? "allowed_ips" : "allowed"), true);
		break;
	case DLP_MAXBW:
		if (vm_int(o, "maxbw", 0))
			buf_printf(b, "%lld", (long long)vm_int(o, "maxbw", 0));
		break;
	case DLP_PRIORITY:
		buf_puts(b, vm_str(o, "priority") ?: dl_prop_rows[p].dflt);
		break;
	case DLP_MTU:
		buf_printf(b, "%u", v->mtu);
		break;
	default:
		buf_puts(b, v->zone);
	}
}

static int show(struct ctx *c, struct state *st, struct dl_table *t, const struct link_view *v, const struct dl_props *want, struct buf *out, struct err *e)
{
	_json_ json_t *rec = NULL, *obj = NULL;
	int r = v->zoneid && *v->uuid ? vm_get(c, v->uuid, &rec, e) : str_eq(v->zone, "global") && v->class == LINK_CLASS_VNIC ? state_net_get(st, "link", v->name, &obj, e) : 0;
	const json_t *o = v->zoneid ? dl_nic_of(rec, v) : obj;

	if (r < 0)
		return r;
	for (unsigned i = 0; i < (want->n ? want->n : (unsigned)DLP_N); i++) {
		enum dl_prop p = want->n ? want->p[i].prop : (enum dl_prop)i;
		_buf_ struct buf b = BUF_INIT;
		const char *dflt = p == DLP_PROTECTION && v->zoneid ? dl_prop_rows[p].possible : dl_prop_rows[p].dflt;
		const char *row[C_N] = {v->name, v->zone, dl_prop_rows[p].name, dl_prop_rows[p].perm, NULL, dflt, dl_prop_rows[p].possible};

		if (v->class != LINK_CLASS_VNIC && p != DLP_MTU && p != DLP_ZONE)
			continue;
		value_of(v, o, p, &b);
		row[C_VALUE] = buf_str(&b);
		dl_table_row(t, row, out);
	}
	return 0;
}

static int run_show(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_clean_(dl_links_done) struct dl_links l = {0};
	_free_ struct dl_props *want = xalloc(sizeof *want);
	_buf_ struct buf b = BUF_INIT;
	const char *fields = NULL;
	bool parse = false, zone = false;
	struct err e = ERR_INIT;
	struct dl_table t;
	int ch, r;

	while ((ch = getopt(argc, argv, "co:p:z:Z")) >= 0) {
		if (ch == 'p' && dl_props_parse(want, optarg, false, &e) < 0)
			return cmd_usage("dladm", "show-linkprop", "%s", e.msg);
		if (ch == '?')
			return cmd_usage("dladm", "show-linkprop", NULL);
		parse |= ch == 'c';
		zone |= ch == 'Z';
		fields = ch == 'o' ? optarg : fields;
		l.zones = ch == 'z' ? optarg : l.zones;
	}
	if (argc - optind > 1)
		return cmd_usage("dladm", "show-linkprop", NULL);
	l.name = argv[optind];
	r = dl_table_init(&t, columns, zone ? "link,zone,property,perm,value,default,possible" : "link,property,perm,value,default,possible", fields, parse, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	r = dl_state(c, STATE_READ, &st);
	if (r)
		return r;
	r = dl_links_read(c, st, &l, &e);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = show(c, st, &t, &l.v[i], want, &b, &e);
	if (b.len)
		fputs(buf_str(&b), stdout);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(dladm_show_linkprop, "dladm", "show-linkprop", "[-c -o <field>[,…]] [-p <prop>[,…]] [-Z] [-z <zone>[,…]] [<link>]",
    "list properties of links: protection, allowed-ips, maxbw, priority", CMD_NONE, run_show);
