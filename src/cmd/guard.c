/* SPDX-License-Identifier: MPL-2.0 */
/* What stands beside a command that holds a guest still, and does what that can't do any more. */
#include "node/guard.h"

#include <signal.h>
#include <unistd.h>

#include "base/str.h"
#include "cmd/cmd.h"

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	sigset_t none;

	if (argc != 2 || !uuid_valid(argv[1]))
		return cmd_usage("cloister", argv[0], NULL);
	/* what ends that command, by a terminal or a group of processes, is not for this one */
	setsid();
	sigemptyset(&none);
	sigaddset(&none, SIGINT);
	sigaddset(&none, SIGTERM);
	sigaddset(&none, SIGHUP);
	sigprocmask(SIG_BLOCK, &none, NULL);
	return guard_run(c, argv[1], STDIN_FILENO, &e) < 0 ? cmd_fail(c, &e) : 0;
}

CMD_INTERNAL(cloister_guard, "cloister", "guard", "<uuid>", "for commands that hold a guest still: takes back what one leaves where it is killed", CMD_VM, run);
