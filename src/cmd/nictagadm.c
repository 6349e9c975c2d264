/* SPDX-License-Identifier: MPL-2.0 */
/* nictagadm: the names by which NICs say which switch they are on. As SmartOS's; --host and --confirm are ours. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/nictag.h"
#include "model/check.h"
#include "model/vm.h"
#include "node/fabric.h"
#include "node/uplink.h"


/* For reading: a node without a database has no tags, and *st stays NULL. */
static int open_state(struct ctx *c, int how, struct state **st)
{
	struct err e = ERR_INIT;
	int r = state_open(c, how, st, &e);

	return r < 0 && (how != STATE_READ || r != -ENOENT) ? cmd_fail(c, &e) : 0;
}

static int get(struct state *st, const char *name, struct state_nictag *t, struct err *e)
{
	return st ? state_nictag_get(st, name, t, e) : err_set(e, ENOENT, "nic tag \"%s\" does not exist", name);
}

/* A name that vmadm takes as nic_tag. */
int nictag_name(const char *name, struct err *e)
{
	json_t *v = json_string(name);
	int r = v ? check_nic_tag(v) : -EINVAL;

	json_decref(v);
	return r < 0 ? err_set(e, EINVAL, "nic tag \"%s\": 1 to 31 of A-Z a-z 0-9 _ /", name) : 0;
}

static int add_uplink(struct ctx *c, const struct uplink_wish *w)
{
	struct err e = ERR_INIT;

	if (nictag_name(w->tag, &e) < 0 || uplink_add(c, w, &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "nictagadm add", w->tag, NULL, NULL, 0);
	if (w->confirm)
		cmd_say("%s goes back to the host in %u seconds unless `nictagadm confirm %s` is run by then", w->device, w->confirm, w->tag);
	return 0;
}

static int run_add(struct ctx *c, int argc, char **argv)
{
	static const struct option long_options[] = {{"host", no_argument, NULL, 'H'}, {"confirm", required_argument, NULL, 'C'}, {NULL, 0, NULL, 0}};
	_clean_(state_close) struct state *st = NULL;
	struct uplink_wish w = {.tag = NULL};
	struct err e = ERR_INIT;
	uint64_t mtu = 0, confirm = 0;
	bool stub = false;
	int o;

	while ((o = getopt_long(argc, argv, "lp:", long_options, NULL)) >= 0) {
		const char *p = o == 'p' && str_starts(optarg, "mtu=") ? optarg + 4 : NULL;

		if (o == 'l')
			stub = true;
		else if (o == 'H')
			w.host = true;
		else if (o == 'C' && (str_to_u64(optarg, &confirm) < 0 || confirm < 1 || confirm > 3600))
			return cmd_usage("nictagadm", "add", "--confirm takes 1 to 3600 seconds");
		else if (o == 'p' && p && str_to_u64(p, &mtu) == 0 && mtu >= 576 && mtu <= 9000)
			continue;
		else if (o != 'C')
			return cmd_usage("nictagadm", "add", o == 'p' ? "-p takes mtu=576 to mtu=9000" : NULL);
	}
	if (!stub && argc - optind == 2) {
		w.tag = argv[optind];
		w.device = argv[optind + 1];
		w.mtu = (uint32_t)mtu;
		w.confirm = (unsigned)confirm;
		return add_uplink(c, &w);
	}
	if (w.host || confirm)
		return cmd_usage("nictagadm", "add", "--host and --confirm are for an uplink");
	mtu = mtu ?: STUB_MTU;
	if (!stub || argc - optind != 1)
		return cmd_usage("nictagadm", "add", NULL);
	if (nictag_name(argv[optind], &e) < 0)
		return cmd_fail(c, &e);
	o = open_state(c, STATE_WRITE, &st);
	if (o)
		return o;
	if (state_nictag_add(st, argv[optind], true, (uint32_t)mtu, &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "nictagadm add", argv[optind], NULL, NULL, 0);
	return 0;
}
CMD(nictagadm_add, "nictagadm", "add", "[-p mtu=N] -l <name> | [--host] [--confirm <seconds>] <name> <mac|device>",
    "make a nic tag: -l, an etherstub, is a switch of this host alone; else one with an uplink", CMD_NONE, run_add);

struct show {
	struct state *st;
	bool stubs, parse;
	char delim;
};

static int show_one(const struct state_nictag *t, void *arg)
{
	char device[16] = "-", mac[18] = "-";
	const struct show *s = arg;

	if (s->stubs && !t->etherstub)
		return 0;
	uplink_show(s->st, t->name, device, mac);
	if (s->parse)
		printf("%s%c%s%c%s%c%s\n", t->name, s->delim, mac, s->delim, device, s->delim, t->etherstub ? "etherstub" : "normal");
	else
		printf("%-15s%-19s%-15s%s\n", t->name, mac, device, t->etherstub ? "etherstub" : "normal");
	return 0;
}

static int run_list(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct show s = {.delim = ':'};
	struct err e = ERR_INIT;
	int o;

	while ((o = getopt(argc, argv, "lpd:")) >= 0) {
		if (o == 'l')
			s.stubs = true;
		else if (o == 'p')
			s.parse = true;
		else if (o == 'd' && strlen(optarg) == 1)
			s.delim = *optarg;
		else
			return cmd_usage("nictagadm", "list", o == 'd' ? "-d takes one character" : NULL);
	}
	if (optind != argc)
		return cmd_usage("nictagadm", "list", NULL);
	o = open_state(c, STATE_READ, &st);
	if (o)
		return o;
	s.st = st;
	if (!s.parse)
		printf("%-15s%-19s%-15s%s\n", "NAME", "MACADDRESS", "LINK", "TYPE");
	return st && state_nictag_each(st, show_one, &s, &e) < 0 ? cmd_fail(c, &e) : 0;
}
CMD(nictagadm_list, "nictagadm", "list", "[-l] [-p [-d <delimiter>]]", "list the nic tags; -l: etherstubs alone", CMD_NONE, run_list);

static int run_exists(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	bool stub = false;
	int o, missing = 0;

	while ((o = getopt(argc, argv, "l")) >= 0) {
		if (o != 'l')
			return cmd_usage("nictagadm", "exists", NULL);
		stub = true;
	}
	if (optind == argc)
		return cmd_usage("nictagadm", "exists", "no name");
	o = open_state(c, STATE_READ, &st);
	if (o)
		return o;
	for (; optind < argc; optind++) {
		struct state_nictag t;
		struct err e = ERR_INIT;
		int r = get(st, argv[optind], &t, &e);

		if (r < 0 && r != -ENOENT)
			return cmd_fail(c, &e);
		if (r == 0 && (!stub || t.etherstub))
			continue;
		fprintf(stderr, "%s\n", argv[optind]);
		missing = 1;
	}
	return missing;
}
CMD(nictagadm_exists, "nictagadm", "exists", "[-l] <name>…", "exit 0 if all of them exist; prints those that don't", CMD_NONE, run_exists);

/* VMs with a NIC on that tag. */
struct users {
	const char *tag;
	bool print;
	unsigned n, links, sets;
	char first[37], link[32], set[48];
};

static int user_each(const struct vm_row *row, void *arg)
{
	struct users *u = arg;
	json_t *rec, *o;
	size_t i;

	if (!row->record || !strstr(row->record, "\"nic_tag\""))
		return 0;
	rec = json_loads(row->record, 0, NULL);
	json_array_foreach(json_object_get(rec, "nics"), i, o)
	{
		if (!str_eq(vm_str(o, "nic_tag"), u->tag))
			continue;
		if (u->n++ == 0)
			snprintf(u->first, sizeof u->first, "%s", row->uuid);
		if (u->print)
			printf("%s\n", row->uuid);
		break;
	}
	json_decref(rec);
	return 0;
}

static int run_vms(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct state_nictag t;
	struct err e = ERR_INIT;
	struct users u = {.print = true};
	int r;

	if (argc != 2)
		return cmd_usage("nictagadm", "vms", NULL);
	u.tag = argv[1];
	r = open_state(c, STATE_READ, &st);
	if (r)
		return r;
	if (get(st, u.tag, &t, &e) < 0 || state_vm_each(st, STATE_RECORD, user_each, &u, &e) < 0)
		return cmd_fail(c, &e);
	return 0;
}
CMD(nictagadm_vms, "nictagadm", "vms", "<name>", "list the VMs with a NIC on it", CMD_NONE, run_vms);

static int link_each(const char *name, const json_t *value, void *arg)
{
	struct users *u = arg;

	if (str_eq(vm_str(value, "tag"), u->tag) && u->links++ == 0)
		snprintf(u->link, sizeof u->link, "%s", name);
	return 0;
}

static int set_each(const char *name, const json_t *value, void *arg)
{
	struct users *u = arg;

	if (str_eq(vm_str(value, "tag"), u->tag) && u->sets++ == 0)
		snprintf(u->set, sizeof u->set, "%s", name);
	return 0;
}

static int in_use(const struct users *u, struct err *e)
{
	if (u->links) {
		err_set(e, EBUSY, "nic tag %s is in use by link %s", u->tag, u->link);
		return err_hint(e, "`dladm delete-vnic %s` takes that away.", u->link);
	}
	if (u->sets) {
		err_set(e, EBUSY, "nic tag %s: its switch %s has settings", u->tag, u->set);
		return err_hint(e, "`cloister net unset %s` takes them away.", u->set);
	}
	err_set(e, EBUSY, "nic tag %s is in use by %u VM%s, the first is %s", u->tag, u->n, u->n == 1 ? "" : "s", u->first);
	return err_hint(e, "`nictagadm vms %s` lists them; -f deletes it all the same, and they don't boot then.", u->tag);
}

int nictag_delete(struct state *st, const char *name, bool force, bool stub, struct err *e)
{
	struct users u = {.tag = name};
	struct state_nictag t;
	/* nobody gets a NIC on it between the look and the deed */
	int r = state_begin(st, e);

	if (r < 0)
		return r;
	if (stub && state_nictag_get(st, name, &t, NULL) == 0 && !t.etherstub)
		r = err_set(e, EINVAL, "%s is no etherstub", name);
	if (r == 0 && !force)
		r = state_vm_each(st, STATE_RECORD, user_each, &u, e);
	if (r == 0)
		r = state_net_each(st, "link", link_each, &u, e);
	if (r == 0)
		r = state_net_each(st, "switch", set_each, &u, e);
	if (r == 0 && (u.n || u.links || u.sets))
		r = in_use(&u, e);
	if (r == 0)
		r = state_nictag_delete(st, name, e);
	return state_end(st, r, e);
}

static int run_delete(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	bool force = false;
	int o;

	while ((o = getopt(argc, argv, "f")) >= 0) {
		if (o != 'f')
			return cmd_usage("nictagadm", "delete", NULL);
		force = true;
	}
	if (argc - optind != 1)
		return cmd_usage("nictagadm", "delete", NULL);
	o = open_state(c, STATE_WRITE, &st);
	if (o)
		return o;
	if (fabric_is(st, argv[optind])) {
		err_set(&e, EBUSY, "nic tag %s is a fabric: `cloister net fabric delete %s`", argv[optind], argv[optind]);
		return cmd_fail(c, &e);
	}
	if (nictag_delete(st, argv[optind], force, false, &e) < 0)
		return cmd_fail(c, &e);
	if (uplink_remove(c, argv[optind], &e) < 0) {
		err_hint(&e, "The nic tag is deleted; `cloister net up` tries again to give its device back.");
		return cmd_fail(c, &e);
	}
	cmd_audit(c, "nictagadm delete", argv[optind], NULL, NULL, 0);
	return 0;
}
CMD(nictagadm_delete, "nictagadm", "delete", "[-f] <name>", "delete a nic tag that no VM uses, and give its device back; -f: that one is used", CMD_NONE, run_delete);

static int run_confirm(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 2)
		return cmd_usage("nictagadm", "confirm", NULL);
	if (uplink_confirm(c, argv[1], &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "nictagadm confirm", argv[1], NULL, NULL, 0);
	return 0;
}
CMD(nictagadm_confirm, "nictagadm", "confirm", "<name>", "keep an uplink that was added with --confirm", CMD_NONE, run_confirm);

static int run_watch(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 2 || chdir("/") < 0)
		return cmd_usage("cloister", argv[0], NULL);
	return uplink_watch(c, argv[1], &e) < 0 ? cmd_fail(c, &e) : 0;
}
CMD_INTERNAL(cloister_uplink_watch, "cloister", "uplink-watch", "<name>", "for nictagadm add --confirm: gives the device back in time", CMD_NONE, run_watch);
