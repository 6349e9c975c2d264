/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cmd/vmadm.h"
#include "model/vm.h"
#include "node/vmops.h"

static int run(struct ctx *c, int argc, char **argv)
{
	_json_ json_t *o = NULL;
	struct err e = ERR_INIT;
	const char *word;

	if (getopt_long(argc, argv, "", (const struct option[]){{NULL, 0, NULL, 0}}, NULL) != -1)
		return cmd_usage("vmadm", argv[0], NULL);
	word = vmadm_operand(argc, argv);
	if (!word)
		return 2;
	if (vm_info(c, word, &o, &e) < 0)
		return cmd_fail(c, &e);
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	return 0;
}

CMD(vmadm_info, "vmadm", "info", "<uuid|alias>", "what the kernel holds for a running VM: zone, usage, limits, and what each NIC has carried and dropped", CMD_VM, run);
