/* SPDX-License-Identifier: MPL-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "base/own.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

static int create_one(struct ctx *c, const json_t *payload, bool dry)
{
	_json_ json_t *report = NULL, *rec = NULL;
	struct err e = ERR_INIT;
	char uuid[37];
	int r;

	if (dry) {
		r = vm_create_dry(c, payload, &rec, &report, &e);
		if (r == 0) {
			json_dumpf(rec, stdout, JSON_INDENT(2));
			putchar('\n');
		}
	} else {
		r = vm_create(c, payload, uuid, &report, &e);
		if (*uuid)
			vmadm_audit(c, "vmadm create", uuid, NULL, r);
		if (r == 0)
			cmd_say("Successfully created VM %s", uuid);
	}
	return r < 0 ? cmd_fail(c, &e) : 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *payload = NULL;
	const char *file = NULL;
	struct err e = ERR_INIT;
	bool dry = false;
	int status = vmadm_options(argc, argv, &file, &dry);
	size_t i;
	const json_t *one;

	if (status)
		return status;
	if (optind < argc)
		return cmd_usage("vmadm", argv[0], "unexpected \"%s\"", argv[optind]);
	if (vmadm_payload(file, &payload, &e) < 0)
		return cmd_fail(c, &e);
	if (!dry && node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	if (!json_is_array(payload))
		return create_one(c, payload, dry);
	json_array_foreach(payload, i, one)
		if (create_one(c, one, dry))
			status = 1;
	return status;
}

CMD(vmadm_create, "vmadm", "create", "[-f <file>] [--dry-run]", "make VMs from JSON on standard input", CMD_FILE, run);
