/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vm.h"

/* Several VMs: an array of reports in the order of the payload, {} for one that is good. NULL if all are. */
static int check_each(const json_t *payload, json_t **report, struct err *e)
{
	_json_ json_t *all = json_array();
	const json_t *one;
	int bad = 0;
	size_t i;

	json_array_foreach(payload, i, one)
	{
		_json_ json_t *its = NULL;
		int r = vm_validate(one, VM_CREATE, NULL, &its, e);

		if (r < 0 && !its)
			return r;
		bad = r < 0 ? r : bad;
		json_array_append_new(all, its ? json_incref(its) : json_object());
	}
	if (bad < 0)
		*report = take(all);
	return bad;
}

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *payload = NULL, *report = NULL;
	const char *file = NULL, *brand;
	enum vm_verb verb;
	struct err e = ERR_INIT;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "f:", (const struct option[]){{NULL, 0, NULL, 0}}, NULL)) != -1) {
		if (opt != 'f')
			return cmd_usage("vmadm", argv[0], NULL);
		file = optarg;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return cmd_usage("vmadm", argv[0], NULL);
	if (!strcmp(argv[optind], "create"))
		verb = VM_CREATE;
	else if (!strcmp(argv[optind], "update"))
		verb = VM_UPDATE;
	else
		return cmd_usage("vmadm", argv[0], "\"%s\" is neither create nor update", argv[optind]);
	/* SmartOS's form for update names the brand behind it */
	brand = argc - optind == 2 ? argv[optind + 1] : NULL;
	if (vmadm_payload(file, &payload, &e) < 0)
		return cmd_fail(c, &e);
	if (!brand)
		brand = vm_str(payload, "brand");
	if (verb == VM_UPDATE && !brand)
		return cmd_usage("vmadm", argv[0], "update needs a brand: vmadm validate update <brand>");
	if (json_is_array(payload) && verb == VM_UPDATE) {
		err_set(&e, EINVAL, "an update is one object; an array creates several VMs");
		return cmd_fail(c, &e);
	}
	r = json_is_array(payload) ? check_each(payload, &report, &e) : vm_validate(payload, verb, verb == VM_UPDATE ? brand : NULL, &report, &e);
	if (r < 0) {
		if (!report)
			return cmd_fail(c, &e);
		vmadm_report(report);
		return 1;
	}
	cmd_say("VALID '%s' payload for %s brand VMs.", argv[optind], brand ? brand : "several");
	return 0;
}

CMD(vmadm_validate, "vmadm", "validate", "create|update [<brand>] [-f <file>]", "check a payload and change nothing", CMD_NONE, run);
