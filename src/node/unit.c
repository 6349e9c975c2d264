/* SPDX-License-Identifier: MPL-2.0 */
/*
 * With systemd as process 1 zones belong below the unit that it delegates. `cloister boot` comes after that unit; a VM
 * that is made by hand where nothing was enabled does not, so the unit is started when the node's first cgroup is made.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"
#include "image/child.h"
#include "kern/cgroup.h"
#include "node/vmops.h"

#define UNIT "cloister-zones.service"

int node_home(struct ctx *c, struct cg_host *h, struct err *e)
{
	const char *argv[] = {"systemctl", "--quiet", "--no-ask-password", "start", UNIT, NULL};
	const int fds[] = {-1, -1, -1};
	struct child child = CHILD_INIT;
	int r;

	if (h->deleg[0] || access("/run/systemd/system", F_OK) < 0 || cg_node_made(h))
		return 0;
	r = child_start(&child, argv, NULL, fds, ARRAY_LEN(fds), e);
	if (r < 0)
		return err_add(e, "start " UNIT);
	r = child_wait(&child);
	if (r == 0)
		return cg_host_find(c, h, e);
	/* A build that is not installed has no unit. systemd leaves a cgroup alone that it does not know. */
	if (r != 4 && r != 5)
		ctx_log(c, LOG_WARN, UNIT " did not start (systemctl status says why): zones go to %s, where systemd delegates nothing", h->root);
	return 0;
}
