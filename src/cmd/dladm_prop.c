/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dladm set-linkprop, reset-linkprop. Of a zone's VNIC the VM's record has them, so setting one is an update of the VM;
 * of the global zone's, the link's own object.
 */
#include "cmd/dladm_prop.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "model/vm.h"
#include "node/vmops.h"

const struct dl_prop_row dl_prop_rows[DLP_N] = {
	[DLP_MAXBW] = {"maxbw", "rw", NULL, NULL},
	[DLP_PRIORITY] = {"priority", "rw", "medium", "low,medium,high"},
	[DLP_PROTECTION] = {"protection", "rw", NULL, "mac-nospoof,restricted,ip-nospoof,dhcp-nospoof"},
	[DLP_ALLOWED] = {"allowed-ips", "rw", NULL, NULL},
	[DLP_MTU] = {"mtu", "r-", NULL, "576-9000"},
	[DLP_ZONE] = {"zone", "r-", NULL, NULL},
};

const struct dl_protection dl_protections[DL_PROTECTIONS] = {
	{"mac-nospoof", "allow_mac_spoofing"},
	{"restricted", "allow_restricted_traffic"},
	{"ip-nospoof", "allow_ip_spoofing"},
	{"dhcp-nospoof", "allow_dhcp_spoofing"},
};

/* ---- parsing ---- */

static int prop_of(const char *name, struct err *e)
{
	for (int i = 0; i < DLP_N; i++)
		if (str_eq(dl_prop_rows[i].name, name))
			return i;
	return err_set(e, EINVAL, "unknown link property \"%s\"", name);
}

static int next_prop(struct dl_props *p, const char *name, struct err *e)
{
	int k = prop_of(name, e);

	if (k < 0)
		return k;
	for (unsigned i = 0; i < p->n; i++)
		if ((int)p->p[i].prop == k)
			return err_set(e, EINVAL, "%s is given twice", name);
	p->p[p->n].prop = (enum dl_prop)k;
	p->p[p->n++].nvalues = 0;
	return 0;
}

static int next_value(struct dl_props *p, char *value, struct err *e)
{
	if (p->n == 0 || p->p[p->n - 1].nvalues == DL_VALUES)
		return err_set(e, EINVAL, p->n ? "more than %d values" : "a property is name=value", DL_VALUES);
	p->p[p->n - 1].value[p->p[p->n - 1].nvalues++] = value;
	return 0;
}

/* A word with "=" begins a property, one without is one more value of it: so illumos reads these lists. */
int dl_props_parse(struct dl_props *p, const char *text, bool values, struct err *e)
{
	char *at = p->text + p->used, *save = NULL;
	size_t n = strlen(text) + 1;
	int r = 0;

	if (n > sizeof p->text - p->used)
		return err_set(e, E2BIG, "more than %zu bytes of properties", sizeof p->text);
	memcpy(at, text, n);
	p->used += n;
	for (char *w = strtok_r(at, ",", &save); w && r == 0; w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');

		if (!values)
			r = eq ? err_set(e, EINVAL, "%s: no value here", w) : next_prop(p, w, e);
		else if (eq) {
			*eq = 0;
			r = next_prop(p, w, e);
			if (r == 0 && eq[1])
				r = next_value(p, eq + 1, e);
		} else {
			r = next_value(p, w, e);
		}
	}
	for (unsigned i = 0; r == 0 && values && i < p->n; i++)
		if (p->p[i].nvalues == 0)
			r = err_set(e, EINVAL, "%s has no value", dl_prop_rows[p->p[i].prop].name);
	return r == 0 && p->n == 0 ? err_set(e, EINVAL, "no property") : r;
}

static int protection_of(const char *word, struct err *e)
{
	for (size_t i = 0; i < DL_PROTECTIONS; i++)
		if (str_eq(dl_protections[i].name, word))
			return 1 << i;
	return err_set(e, EINVAL, "protection: \"%s\" is none of %s", word, dl_prop_rows[DLP_PROTECTION].possible);
}

/* "100M", "1.5G", "800K", "100" in Mbit/s. */
static int megabits(const char *text, json_int_t *out, struct err *e)
{
	char *end;
	double n = strtod(text, &end), unit = 1;

	if (*end == 'K' || *end == 'k')
		unit = 1e-3;
	else if (*end == 'G' || *end == 'g')
		unit = 1e3;
	else if (*end && *end != 'M' && *end != 'm')
		end = (char *)text;
	n *= unit;
	if (end == text || (*end && end[1]) || !(n >= 1 && n <= 1e6) || n != (double)(json_int_t)n)
		return err_set(e, EINVAL, "maxbw: \"%s\" is no bandwidth from 1M to 1000G in whole Mbit/s", text);
	*out = (json_int_t)n;
	return 0;
}

/* ---- of the global zone ---- */

int dl_props_global(const struct dl_props *p, json_t *o, struct err *e)
{
	for (unsigned i = 0; i < p->n; i++) {
		const char *name = dl_prop_rows[p->p[i].prop].name;
		json_t *list;

		if (p->p[i].prop != DLP_PROTECTION && p->p[i].prop != DLP_ALLOWED) {
			if (*dl_prop_rows[p->p[i].prop].perm == 'r' && dl_prop_rows[p->p[i].prop].perm[1] == '-')
				return err_set(e, EINVAL, "%s can't be set", name);
			return err_set(e, ENOTSUP, "%s of a link of the global zone is not available yet", name);
		}
		for (unsigned k = 0; k < p->p[i].nvalues; k++)
			if (p->p[i].prop == DLP_PROTECTION && protection_of(p->p[i].value[k], e) < 0)
				return -EINVAL;
		if (!o)
			continue;
		list = json_array();
		for (unsigned k = 0; k < p->p[i].nvalues; k++)
			json_array_append_new(list, json_string(p->p[i].value[k]));
		json_object_set_new(o, p->p[i].prop == DLP_PROTECTION ? "protection" : "allowed", list);
	}
	return 0;
}

int dl_props_store(struct ctx *c, struct state *st, const char *name, const struct dl_props *p, struct err *e)
{
	_json_ json_t *o = NULL;
	int r = state_net_get(st, "link", name, &o, e);

	if (r == 0)
		r = dl_props_global(p, o, e);
	return r < 0 ? r : link_change(c, st, name, o, e);
}

/* ---- of a zone ---- */

json_t *dl_nic_of(const json_t *rec, const struct link_view *v)
{
	char mac[18];
	size_t i;
	json_t *o;

	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	json_array_foreach(json_object_get(rec, "nics"), i, o)
		if (str_eq(vm_str(o, "mac"), mac))
			return o;
	return NULL;
}

static bool is_own(const json_t *nic, const char *ip)
{
	const json_t *o;
	size_t i, n = strcspn(ip, "/");

	json_array_foreach(json_object_get(nic, "ips"), i, o)
	{
		const char *s = json_string_value(o) ?: "";

		if (strcspn(s, "/") == n && !strncmp(s, ip, n))
			return true;
	}
	return false;
}

static int into_nic(const struct dl_props *p, unsigned i, const json_t *nic, json_t *out, struct err *e)
{
	unsigned bits = 0;
	json_int_t mbit = 0;
	json_t *list;
	int r;

	switch (p->p[i].prop) {
	case DLP_PROTECTION:
		for (unsigned k = 0; k < p->p[i].nvalues; k++) {
			r = protection_of(p->p[i].value[k], e);
			if (r < 0)
				return r;
			bits |= (unsigned)r;
		}
		if (p->p[i].nvalues == 0) /* reset: all, which is a VM's default */
			bits = 15;
		if ((bits & 4) && !(bits & 8))
			return err_set(e, EINVAL, "protection: a VM's NIC has ip-nospoof with dhcp-nospoof only");
		for (size_t k = 0; k < DL_PROTECTIONS; k++)
			/* allow_dhcp_spoofing takes ip-nospoof away by itself */
			json_object_set_new(out, dl_protections[k].allow, json_boolean(!(bits >> k & 1)));
		return 0;
	case DLP_ALLOWED:
		list = json_array();
		for (unsigned k = 0; k < p->p[i].nvalues; k++)
			if (!is_own(nic, p->p[i].value[k]))
				json_array_append_new(list, json_string(p->p[i].value[k]));
		json_object_set_new(out, "allowed_ips", list);
		return 0;
	case DLP_MAXBW:
		r = p->p[i].nvalues ? megabits(p->p[i].value[0], &mbit, e) : 0;
		json_object_set_new(out, "maxbw", json_integer(mbit));
		return r;
	case DLP_PRIORITY:
		json_object_set_new(out, "priority", json_string(p->p[i].nvalues ? p->p[i].value[0] : dl_prop_rows[DLP_PRIORITY].dflt));
		return 0;
	default:
		return err_set(e, EINVAL, "%s can't be set", dl_prop_rows[p->p[i].prop].name);
	}
}

static int store_vm(struct ctx *c, const struct link_view *v, const struct dl_props *p, struct err *e)
{
	_json_ json_t *rec = NULL, *payload = NULL, *report = NULL;
	json_t *nic, *out;
	int r = vm_get(c, v->uuid, &rec, e);

	if (r < 0)
		return r;
	nic = dl_nic_of(rec, v);
	if (!nic)
		return err_set(e, ENOENT, "link %s of zone %s is not in its record", v->name, v->zone);
	out = json_pack("{s:O}", "mac", json_object_get(nic, "mac"));
	payload = json_pack("{s:[o]}", "update_nics", out);
	for (unsigned i = 0; r == 0 && i < p->n; i++)
		r = into_nic(p, i, nic, out, e);
	return r < 0 ? r : vm_update(c, v->uuid, payload, NULL, &report, e);
}

/* ---- the commands ---- */

static int change(struct ctx *c, int argc, char **argv, bool set)
{
	_clean_(state_close) struct state *st = NULL;
	_free_ struct dl_props *p = xalloc(sizeof *p);
	const char *verb = cmd_verb(argv[0]), *zone = NULL;
	struct err e = ERR_INIT;
	struct link_view v;
	int ch, r;

	while ((ch = getopt(argc, argv, "p:z:")) >= 0) {
		if (ch == 'p' && dl_props_parse(p, optarg, set, &e) < 0)
			return cmd_usage("dladm", verb, "%s", e.msg);
		if (ch == 'z')
			zone = optarg;
		if (ch == '?')
			return cmd_usage("dladm", verb, NULL);
	}
	if (argc - optind != 1 || (set && p->n == 0))
		return cmd_usage("dladm", verb, NULL);
	if (p->n == 0 && (next_prop(p, "protection", &e) < 0 || next_prop(p, "allowed-ips", &e) < 0))
		return cmd_fail(c, &e);
	for (unsigned i = 0; i < p->n; i++)
		if (p->p[i].nvalues > 1 && p->p[i].prop != DLP_PROTECTION && p->p[i].prop != DLP_ALLOWED)
			return cmd_usage("dladm", verb, "%s has one value", dl_prop_rows[p->p[i].prop].name);
	if (node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	r = dl_state(c, STATE_WRITE, &st);
	if (r)
		return r;
	r = dl_link_one(c, st, argv[optind], zone, &v, &e);
	if (r == 0 && (v.class != LINK_CLASS_VNIC || (v.zoneid == 0 && !str_eq(v.zone, "global"))))
		r = err_set(&e, ENOTSUP, "link %s is no VNIC of a zone or of the global zone", v.name);
	if (r == 0 && v.zoneid == 0)
		r = dl_props_store(c, st, v.name, p, &e);
	else if (r == 0) {
		state_close(&st); /* the update has its own */
		r = store_vm(c, &v, p, &e);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, set ? "dladm set-linkprop" : "dladm reset-linkprop", argv[optind], NULL, NULL, 0);
	return 0;
}

static int run_set(struct ctx *c, int argc, char **argv)
{
	return change(c, argc, argv, true);
}
CMD(dladm_set_linkprop, "dladm", "set-linkprop", "-p <prop>=<value>[,…] [-z <zone>] <link>", "set properties of a VNIC; a VM's record keeps them", CMD_NONE, run_set);

static int run_reset(struct ctx *c, int argc, char **argv)
{
	return change(c, argc, argv, false);
}
CMD(dladm_reset_linkprop, "dladm", "reset-linkprop", "[-p <prop>[,…]] [-z <zone>] <link>", "set properties of a VNIC to their defaults", CMD_NONE, run_reset);
