/* SPDX-License-Identifier: MPL-2.0 */
/* cloister fw-warm: what commands that give lists of rules to zones leave behind, so that the next ones find some ready. */
#include "base/own.h"
#include "cmd/cmd.h"
#include "net/fw.h"

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc != 1)
		return cmd_usage("cloister", argv[0], NULL);
	return net_fw_warm(c, &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD_INTERNAL(cloister_fw_warm, "cloister", "fw-warm", "", "for the firewall: keep a few lists of rules ready", CMD_NONE, run);
