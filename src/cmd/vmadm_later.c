/* SPDX-License-Identifier: MPL-2.0 */
/* Verbs whose capability is still to come: they say so, so that nobody waits for an effect. */
#include "cmd/vmadm.h"

static int later(struct ctx *c, int argc, char **argv)
{
	cmd_say("%s: not available yet", argv[0]);
	return 1;
}

CMD(vmadm_send, "vmadm", "send", "<uuid|alias>", "not available yet", CMD_VM, later);
CMD(vmadm_receive, "vmadm", "receive", "[-f <file>]", "not available yet", CMD_FILE, later);
CMD_ALIAS(vmadm_recv, "vmadm", "recv", "receive", later);
CMD(vmadm_sysrq, "vmadm", "sysrq", "<uuid|alias> nmi|screenshot", "not available yet", CMD_VM, later);
