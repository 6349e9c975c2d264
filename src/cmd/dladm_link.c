/* SPDX-License-Identifier: MPL-2.0 */
/* dladm create-etherstub, delete-etherstub, create-vnic, delete-vnic. A VNIC made here is the global zone's. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/dladm.h"
#include "cmd/dladm_prop.h"
#include "cmd/nictag.h"
#include "model/vm.h"

static int run_create_stub(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	int r;

	if (argc != 2 || argv[1][0] == '-')
		return cmd_usage("dladm", "create-etherstub", NULL);
	if (nictag_name(argv[1], &e) < 0)
		return cmd_fail(c, &e);
	r = dl_state(c, STATE_WRITE, &st);
	if (r)
		return r;
	if (state_nictag_add(st, argv[1], true, STUB_MTU, &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "dladm create-etherstub", argv[1], NULL, NULL, 0);
	return 0;
}
CMD(dladm_create_etherstub, "dladm", "create-etherstub", "<etherstub>", "make a switch of this host alone, as `nictagadm add -l` does", CMD_NONE, run_create_stub);

static int run_delete_stub(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	int r;

	if (argc != 2 || argv[1][0] == '-')
		return cmd_usage("dladm", "delete-etherstub", NULL);
	r = dl_state(c, STATE_WRITE, &st);
	if (r)
		return r;
	if (nictag_delete(st, argv[1], false, true, &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "dladm delete-etherstub", argv[1], NULL, NULL, 0);
	return 0;
}
CMD(dladm_delete_etherstub, "dladm", "delete-etherstub", "<etherstub>", "delete an etherstub that nobody uses", CMD_NONE, run_delete_stub);

/* As illumos: letters, digits and _, a number at the end. */
static int link_name(const char *name, struct err *e)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = strlen(name);

	if (n >= 2 && n <= 15 && strspn(name, ok) == n && name[0] > '9' && name[0] != '_' && name[n - 1] >= '0' && name[n - 1] <= '9')
		return 0;
	return err_set(e, EINVAL, "link name \"%s\": 2 to 15 of A-Z a-z 0-9 _, a letter first and a digit last", name);
}

static int link_mac(const char *mac, struct err *e)
{
	unsigned char m[6];
	int n = 0;

	if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &n) == 6 && mac[n] == 0 && !(m[0] & 1) &&
	    strlen(mac) == 17 && memcmp(m, (unsigned char[6]){0}, 6) != 0)
		return 0;
	return err_set(e, EINVAL, "link address \"%s\": a unicast address like 02:08:20:d7:4f:11", mac);
}

struct create {
	const char *tag, *mac;
	uint64_t vlan, mtu;
	struct dl_props props;
};

static int create_options(int argc, char **argv, struct create *o, struct err *e)
{
	int ch;

	while ((ch = getopt(argc, argv, "l:m:v:p:")) >= 0) {
		if (ch == 'l')
			o->tag = optarg;
		else if (ch == 'm')
			o->mac = str_eq(optarg, "random") || str_eq(optarg, "auto") ? NULL : optarg;
		else if (ch == 'p' && dl_props_parse(&o->props, optarg, true, e) < 0)
			return cmd_usage("dladm", "create-vnic", "%s", e->msg);
		else if (ch == 'v' && (str_to_u64(optarg, &o->vlan) < 0 || o->vlan > 4094))
			return cmd_usage("dladm", "create-vnic", "-v takes a VLAN, 0 to 4094");
		else if (ch == '?')
			return cmd_usage("dladm", "create-vnic", NULL);
	}
	return o->tag && argc - optind == 1 ? 0 : cmd_usage("dladm", "create-vnic", o->tag ? NULL : "-l names what it is to be on");
}

static int run_create(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct create o = {0};
	struct err e = ERR_INIT;
	const char *name;
	int r = create_options(argc, argv, &o, &e);

	if (r)
		return r;
	name = argv[optind];
	r = link_name(name, &e);
	if (r == 0 && o.mac) {
		for (char *p = (char *)o.mac; *p; p++)
			*p |= *p >= 'A' && *p <= 'F' ? 0x20 : 0;
		r = link_mac(o.mac, &e);
	}
	if (r == 0)
		r = dl_props_global(&o.props, NULL, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	r = dl_state(c, STATE_WRITE, &st);
	if (r)
		return r;
	r = link_create(c, st, name, o.tag, o.mac, (unsigned)o.vlan, 0, &e);
	if (r == 0 && o.props.n) {
		r = dl_props_store(c, st, name, &o.props, &e);
		if (r < 0)
			link_delete(c, st, name, NULL);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "dladm create-vnic", name, NULL, NULL, 0);
	return 0;
}
CMD(dladm_create_vnic, "dladm", "create-vnic", "-l <tag> [-m <mac>|random] [-v <vlan>] [-p <prop>=<value>[,…]] <vnic>",
    "make a VNIC of the global zone on a nic tag", CMD_NONE, run_create);

static int run_delete(struct ctx *c, int argc, char **argv)
{
	_clean_(state_close) struct state *st = NULL;
	struct err e = ERR_INIT;
	int r;

	if (argc != 2 || argv[1][0] == '-')
		return cmd_usage("dladm", "delete-vnic", NULL);
	r = dl_state(c, STATE_WRITE, &st);
	if (r)
		return r;
	if (link_delete(c, st, argv[1], &e) < 0)
		return cmd_fail(c, &e);
	cmd_audit(c, "dladm delete-vnic", argv[1], NULL, NULL, 0);
	return 0;
}
CMD(dladm_delete_vnic, "dladm", "delete-vnic", "<vnic>", "delete a VNIC of the global zone", CMD_NONE, run_delete);
