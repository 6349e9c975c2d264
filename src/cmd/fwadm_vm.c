/* SPDX-License-Identifier: MPL-2.0 */
/* fwadm and VMs: rules of a VM, VMs of a rule, start, stop, status, stats. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/fwadm.h"
#include "model/vm.h"

static int show_of(struct state *st, const json_t *rec, const struct fwadm_show *s, struct err *e)
{
	_json_ json_t *rules = NULL;
	struct fw_vm vm;
	int r;

	fwobj_vm(rec, &vm);
	r = fw_rules_of(st, &vm, false, &rules, e);
	fw_vm_done(&vm);
	if (r == 0)
		fwadm_show(s, rules);
	return r;
}

static int run_rules(struct ctx *c, int argc, char **argv)
{
	_vm_ struct vm v = VM_INIT;
	struct fwadm_show s;
	struct err e = ERR_INIT;
	int r = fwadm_show_options(argc, argv, &s);

	if (r)
		return r;
	if (argc - optind != 1)
		return cmd_usage("fwadm", argv[0], "which VM?");
	r = vm_open(c, argv[optind], VM_LOOK, &v, &e);
	if (r == 0)
		r = show_of(v.st, v.rec, &s, &e);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(fwadm_rules, "fwadm", "rules", "<uuid|alias> [-j] [-p [-d <delimiter>]] [-o <field>,…]", "list the rules that concern a VM", CMD_VM, run_rules);

static int run_rvm_rules(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *rvm = NULL;
	struct fwadm_show s;
	struct err e = ERR_INIT;
	int r = fwadm_show_options(argc, argv, &s);

	if (r)
		return r;
	if (argc - optind != 1)
		return cmd_usage("fwadm", argv[0], "which remote VM?");
	r = fwadm_open(c, STATE_READ, &st);
	if (r)
		return r;
	r = fwadm_get(st, "rvm", argv[optind], &rvm, &e);
	if (r == 0)
		r = show_of(st, rvm, &s, &e);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(fwadm_rvm_rules, "fwadm", "rvm-rules", "<remote VM uuid> [-j] [-p [-d <delimiter>]] [-o <field>,…]", "list the rules that name a remote VM", CMD_NONE, run_rvm_rules);

static int run_vms(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	_json_ json_t *rule = NULL, *on = NULL, *list = NULL, *vms = NULL;
	struct fw_change ch = {0};
	struct err e = ERR_INIT;
	bool json = false;
	const json_t *o;
	size_t i;
	int opt, r;

	while ((opt = getopt(argc, argv, "j")) >= 0) {
		if (opt != 'j')
			return cmd_usage("fwadm", argv[0], NULL);
		json = true;
	}
	if (argc - optind != 1)
		return cmd_usage("fwadm", argv[0], "which rule?");
	r = fwadm_open(c, STATE_READ, &st);
	if (r)
		return r;
	r = fwadm_get(st, "rule", argv[optind], &rule, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	/* also of one that is not in force: whom it would concern */
	on = json_copy(rule);
	json_object_set_new(on, "enabled", json_true());
	list = json_pack("[O]", on);
	ch.rules = list;
	if (fw_change_vms(st, &ch, &vms, &e) < 0)
		return cmd_fail(c, &e);
	if (json) {
		fwadm_json(vms);
		return 0;
	}
	json_array_foreach(vms, i, o)
		printf("%s\n", json_string_value(o));
	return 0;
}
CMD(fwadm_vms, "fwadm", "vms", "[-j] <rule uuid>", "list the VMs with a firewall that a rule concerns", CMD_NONE, run_vms);

/* ---- a running VM's ---- */

enum { OPT_JSON = 1, OPT_VERBOSE = 2 };

static int one_vm(int argc, char **argv, int *opts)
{
	int o;

	*opts = 0;
	while ((o = getopt(argc, argv, "jv")) >= 0) {
		if (o == '?')
			return cmd_usage("fwadm", argv[0], NULL);
		*opts |= o == 'j' ? OPT_JSON : OPT_VERBOSE;
	}
	return argc - optind == 1 ? 0 : cmd_usage("fwadm", argv[0], argc == optind ? "which VM?" : "one VM at a time");
}

/* To change something with both locks, so that nothing comes or goes meanwhile. *have: there is a switch, and a running VM with a NIC on it. */
static int open_vm(struct ctx *c, const char *word, unsigned how, struct vm *v, struct net_switch *s, bool *have, struct err *e)
{
	struct err miss = ERR_INIT;
	int r = vm_open(c, word, how, v, e);

	*have = false;
	if (r < 0 || !v->run.running || json_array_size(json_object_get(v->rec, "nics")) == 0)
		return r;
	r = how & VM_LOCK ? switch_open(c, false, s, &miss) : switch_look(c, s, &miss);
	*have = r == 0;
	if (r < 0 && r != -ENOENT)
		*e = miss;
	return r == -ENOENT ? 0 : r;
}

static int turn(struct ctx *c, int argc, char **argv, bool on)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_vm_ struct vm v = VM_INIT;
	struct err e = ERR_INIT;
	bool have;
	int opts, r = one_vm(argc, argv, &opts);

	if (r)
		return r;
	r = open_vm(c, argv[optind], VM_LOCK | VM_WRITE, &v, &s, &have, &e);
	if (r == 0 && !vm_bool(v.rec, "firewall_enabled", false)) {
		r = err_set(&e, EINVAL, "VM %s has no firewall: firewall_enabled is false", v.uuid);
		err_hint(&e, "`vmadm update %s firewall_enabled=true` gives it one.", v.uuid);
	}
	if (r == 0 && !have) {
		r = err_set(&e, EINVAL, "VM %s %s", v.uuid, v.run.running ? "has no NIC" : "is not running");
		if (!v.run.running)
			err_hint(&e, "Its firewall starts with its boot: `vmadm start %s`.", v.uuid);
	}
	if (r == 0)
		r = on ? vmfw_start(&v, &s, &e) : net_fw_stop(&s, (uint32_t)v.run.zoneid, &e);
	if (*v.uuid)
		cmd_audit(c, on ? "fwadm start" : "fwadm stop", v.uuid, NULL, NULL, r);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say(on ? "Started firewall for VM %s" : "Stopped firewall for VM %s", v.uuid);
	return 0;
}

static int run_start(struct ctx *c, int argc, char **argv)
{
	return turn(c, argc, argv, true);
}
CMD(fwadm_start, "fwadm", "start", "<uuid|alias>", "start the firewall of a running VM again", CMD_VM, run_start);

static int run_stop(struct ctx *c, int argc, char **argv)
{
	return turn(c, argc, argv, false);
}
CMD(fwadm_stop, "fwadm", "stop", "<uuid|alias>", "let everything pass, until start or the VM's next boot", CMD_VM, run_stop);

static int status_text(struct vm *v, struct net_switch *s, bool have, int opts, struct err *e)
{
	_json_ json_t *rules = NULL, *o = NULL;
	uint32_t zone = (uint32_t)v->run.zoneid, used = 0, limit = 0;
	struct fw_vm vm;
	int r = 0, on = have ? net_fw_status(s, zone, e) : 0;

	if (on < 0)
		return on;
	if (on)
		r = net_fw_flows(s, zone, &used, &limit, e);
	fwobj_vm(v->rec, &vm);
	if (r == 0)
		r = fw_rules_of(v->st, &vm, true, &rules, e);
	fw_vm_done(&vm);
	if (r < 0)
		return r;
	if (opts & OPT_JSON) {
		o = json_pack("{s:b s:b s:i s:i s:i}", "running", on, "firewall_enabled", vm_bool(v->rec, "firewall_enabled", false), "rules",
			      (int)json_array_size(rules), "flows", (int)used, "flow_limit", (int)limit);
		fwadm_json(o);
		return 0;
	}
	printf("%s\n", on ? "running" : "stopped");
	if (opts & OPT_VERBOSE)
		printf("firewall_enabled: %s\nrules in force: %zu\nflows: %u of %u\n", vm_bool(v->rec, "firewall_enabled", false) ? "true" : "false",
		       json_array_size(rules), used, limit);
	return 0;
}

static int run_status(struct ctx *c, int argc, char **argv)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_vm_ struct vm v = VM_INIT;
	struct err e = ERR_INIT;
	bool have;
	int opts, r = one_vm(argc, argv, &opts);

	if (r)
		return r;
	r = open_vm(c, argv[optind], VM_LOOK, &v, &s, &have, &e);
	if (r == 0)
		r = status_text(&v, &s, have, opts, &e);
	return r < 0 ? cmd_fail(c, &e) : 0;
}
CMD(fwadm_status, "fwadm", "status", "[-j] [-v] <uuid|alias>", "print whether a VM's firewall is running or stopped", CMD_VM, run_status);

/* ---- statistics ---- */

struct stats {
	struct state *st;
	json_t *list;
};

static int stat_one(const uint8_t rule[16], enum fw_dir dir, enum fw_action action, uint64_t packets, uint64_t bytes, void *arg)
{
	static const uint8_t none[16];
	struct stats *s = arg;
	json_t *o = json_pack("{s:s s:s s:I s:I}", "direction", dir == FW_IN ? "in" : "out", "action", action == FW_ALLOW ? "allow" : "block", "hits",
			      (json_int_t)packets, "bytes", (json_int_t)bytes);
	_json_ json_t *r = NULL;
	char u[UUID_LEN + 1];

	snprintf(u, sizeof u, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", rule[0], rule[1], rule[2], rule[3], rule[4], rule[5],
		 rule[6], rule[7], rule[8], rule[9], rule[10], rule[11], rule[12], rule[13], rule[14], rule[15]);
	if (memcmp(rule, none, 16)) {
		json_object_set_new(o, "uuid", json_string(u));
		if (state_net_get(s->st, "rule", u, &r, NULL) == 0)
			json_object_set(o, "rule", json_object_get(r, "rule"));
	}
	return json_array_append_new(s->list, o);
}

static void stats_text(const json_t *list)
{
	const json_t *o;
	size_t i;

	printf("%10s %12s %-3s %-5s RULE\n", "HITS", "BYTES", "DIR", "DID");
	json_array_foreach(list, i, o)
		printf("%10" PRId64 " %12" PRId64 " %-3s %-5s %s\n", vm_int(o, "hits", 0), vm_int(o, "bytes", 0), vm_str(o, "direction"), vm_str(o, "action"),
		       vm_str(o, "rule") ?: vm_str(o, "uuid") ?: "default");
}

static int run_stats(struct ctx *c, int argc, char **argv)
{
	_clean_(switch_close) struct net_switch s = NET_SWITCH_INIT;
	_vm_ struct vm v = VM_INIT;
	_json_ json_t *list = json_array();
	struct stats a = {.list = list};
	struct err e = ERR_INIT;
	bool have;
	int opts, r = one_vm(argc, argv, &opts);

	if (r)
		return r;
	r = open_vm(c, argv[optind], VM_LOOK, &v, &s, &have, &e);
	if (r == 0)
		r = have ? net_fw_status(&s, (uint32_t)v.run.zoneid, &e) : 0;
	if (r == 0) {
		r = err_set(&e, EINVAL, "the firewall of VM %s is stopped", v.uuid);
		err_hint(&e, v.run.running ? "`fwadm start %s` starts it." : "It starts with the VM's boot: `vmadm start %s`.", v.uuid);
	}
	a.st = v.st;
	if (r > 0)
		r = net_fw_stats(&s, (uint32_t)v.run.zoneid, stat_one, &a, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	if (opts & OPT_JSON)
		fwadm_json(list);
	else
		stats_text(list);
	return 0;
}
CMD(fwadm_stats, "fwadm", "stats", "[-j] <uuid|alias>", "print how often each rule decided for a VM", CMD_VM, run_stats);
