/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cmd/show.h"
#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *o = NULL;
	struct err e = ERR_INIT;
	const char *word;
	int r;

	if (getopt_long(argc, argv, "", (const struct option[]){{NULL, 0, NULL, 0}}, NULL) != -1)
		return cmd_usage("vmadm", argv[0], NULL);
	word = vmadm_operand(argc, argv);
	if (!word)
		return 2;
	r = vm_get(c, word, &o, &e);
	if (r == -ENOENT) {
		/* the words that scripts look for */
		fprintf(stderr, "zoneadm: %s: No such zone configured\n", word);
		return 1;
	}
	if (r < 0)
		return cmd_fail(c, &e);
	show_dump(o, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

CMD(vmadm_get, "vmadm", "get", "<uuid|alias>", "print all properties of a VM as JSON", CMD_VM, run);
CMD_ALIAS(vmadm_json, "vmadm", "json", "get", run);
