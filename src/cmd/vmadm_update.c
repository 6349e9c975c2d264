/* SPDX-License-Identifier: MPL-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "cmd/show.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

static void say_later(const json_t *later)
{
	_buf_ struct buf b = BUF_INIT;
	const json_t *n;
	size_t i;

	json_array_foreach(later, i, n)
		buf_printf(&b, "%s%s", i ? ", " : "", json_string_value(n));
	if (b.len)
		cmd_say("At the next boot of the VM: %s", buf_str(&b));
}

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *payload = NULL, *report = NULL, *later = NULL, *before = NULL;
	const char *file = NULL, *word;
	struct err e = ERR_INIT;
	bool dry = false;
	char uuid[64];
	int r = vmadm_options(argc, argv, &file, &dry);

	if (r)
		return r;
	if (optind >= argc)
		return cmd_usage("vmadm", argv[0], "which VM?");
	word = argv[optind++];
	if (optind < argc && !file) {
		payload = json_object();
		for (; optind < argc && r == 0; optind++)
			r = vm_parse_pair(argv[optind], payload, &e);
	} else if (optind < argc) {
		return cmd_usage("vmadm", argv[0], "either -f or property=value");
	} else {
		r = vmadm_payload(file, &payload, &e);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	if (dry) {
		_json_ json_t *rec = NULL;

		if (vm_update_dry(c, word, payload, &rec, &report, &e) < 0)
			return cmd_fail(c, &e);
		show_dump(rec, JSON_INDENT(2));
		putchar('\n');
		return 0;
	}
	if (node_recover(c, &e) < 0)
		return cmd_fail(c, &e);
	before = vmadm_record(c, word);
	vmadm_uuid(c, word, uuid);
	r = vm_update(c, word, payload, &later, &report, &e);
	if (r >= 0)
		say_later(later);
	return vmadm_done(c, "vmadm update", uuid, before, r, &e, "Successfully updated VM %s");
}

CMD(vmadm_update, "vmadm", "update", "<uuid|alias> [-f <file>] [--dry-run] [property=value ...]",
    "change properties, from the command line or JSON on standard input", CMD_VM, run);
