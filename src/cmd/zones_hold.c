/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The main process of cloister-zones.service. systemd removes the cgroup of a unit that has no process, so one has to
 * be there; and in cgroup v2 a cgroup that hands controllers down must hold none itself, so it goes one level below.
 * It then becomes sleep(1): it has nothing more to do, for as long as the host is up.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "cmd/cmd.h"
#include "kern/cgroup.h"

/* sd_notify(3)'s protocol: one datagram. */
static int notify_ready(struct err *e)
{
	static const char text[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	_fd_ int fd = -1;

	if (!path)
		return 0;
	if (n == 0 || n >= sizeof a.sun_path)
		return err_set(e, EINVAL, "NOTIFY_SOCKET is no address");
	memcpy(a.sun_path, path, n);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, text, sizeof text - 1, 0, (struct sockaddr *)&a,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return err_sys(e, errno, "notify %s", path);
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct cg_host h;

	if (argc != 1)
		return cmd_usage("cloister", "zones-hold", NULL);
	if (cg_host_find(c, &h, &e) < 0)
		return cmd_fail(c, &e);
	if (!h.deleg[0]) {
		err_set(&e, ENOENT, "systemd has delegated no cgroup to this program");
		err_hint(&e, "cloister-zones.service runs it; there is no other use for it");
		return cmd_fail(c, &e);
	}
	if (cg_node_make(&h, &e) < 0 || notify_ready(&e) < 0)
		return cmd_fail(c, &e);
	execl("/bin/sleep", "sleep", "infinity", NULL);
	err_sys(&e, errno, "/bin/sleep");
	return cmd_fail(c, &e);
}

CMD_INTERNAL(cloister_zones_hold, "cloister", "zones-hold", "", "for cloister-zones.service: keep its cgroup", CMD_NONE, run);
