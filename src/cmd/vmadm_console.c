/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/zone_arg.h"
#include "zone/enter.h"

static int run(struct ctx *c, int argc, char **argv)
{
	struct zone_run zr = {.running = false};
	struct err e = ERR_INIT;
	char uuid[UUID_LEN + 1];
	int r;

	if (argc != 2)
		return cmd_usage("vmadm", "console", argc < 2 ? "which VM?" : "one VM only");
	if (zone_arg(c, argv[1], uuid, &e) < 0)
		return cmd_fail(c, &e);
	r = zone_status(c, uuid, &zr, &e);
	if (r == 0 && !zr.running) {
		_free_ char *state = zone_arg_state(c, uuid);

		if (state)
			r = err_set(&e, ESRCH, "%s is not running (it is '%s')", argv[1], state);
		else
			r = err_set(&e, ENOENT, "%s: No such zone configured", argv[1]);
	}
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say("[Connected to zone '%s' console: leave with ~.]", argv[1]);
	r = zone_console(c, uuid, 0, 1, '~', &e);
	if (r < 0)
		return cmd_fail(c, &e);
	cmd_say("\n[%s]", r == 1 ? "NOTICE: Zone halted" : "Connection closed");
	return r > 1 ? r : 0;
}

CMD(vmadm_console, "vmadm", "console", "<uuid|alias>", "connect to a VM's console; ~. leaves", CMD_VM, run);
