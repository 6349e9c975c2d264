/* SPDX-License-Identifier: MPL-2.0 */
#include "node/guard.h"

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/own.h"
#include "node/lock.h"
#include "node/vmops.h"

void guard_start(struct ctx *c, const char *uuid, struct child *k)
{
	const char *argv[] = {c->self, "--node", c->node.name, "guard", uuid, NULL};
	_fd_ int self = pidfd_open(getpid(), 0);
	struct err e = ERR_INIT;
	int r = self < 0 ? err_sys(&e, errno, "pidfd") : child_start(k, argv, NULL, (int[]){self, -1, 2}, 3, &e);

	if (r < 0)
		ctx_log(c, LOG_WARN, "nobody looks after this command: %s", e.msg);
}

int guard_run(struct ctx *c, const char *uuid, int of, struct err *e)
{
	struct pollfd p = {.fd = of, .events = POLLIN};
	_fd_ int lock = -1;

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "poll");
	if (!intent_there(c, uuid))
		return 0;
	/* who waited for the lock and has it by now clears up as well */
	lock = lock_take(c, uuid, e);
	return lock < 0 ? lock : node_recover_held(c, uuid, lock);
}
