/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper's side of the view: mounts it where the zone's root is going to cover it, and lays its files over the
 * kernel's. No worker runs yet, and whoever looks up a name waits for an answer. So a child, which shares our memory for that
 * while, reads the folder, which brings all names into the kernel's cache for good; we answer its two requests as they
 * come, between the stages, and wait for it only before the names are needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#define FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY)

/* Its own table of descriptors: should we be killed, the connection is gone, and nothing keeps it waiting. */
static int read_names(void *arg)
{
	const struct boot *b = arg;
	char ents[1024];
	int dir;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close(b->view_dev) < 0)
		_exit(1);
	dir = openat(b->view, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_exit(dir < 0 || syscall(SYS_getdents64, dir, ents, sizeof ents) <= 0);
}

int build_view_serve(struct boot *b)
{
	static char in[FUSEDEV_IN];

	while (b->view_dev >= 0) {
		struct fusedev_ask a;
		ssize_t n = read(b->view_dev, in, sizeof in);

		if (n < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (fusedev_parse(in, (size_t)n, &a) == 0)
			view_names(b->view_dev, &a, in, (size_t)n, b->z.id_base);
	}
	return 0;
}

int build_view(struct boot *b, struct err *e)
{
	static char stack[8192] __attribute__((aligned(16)));
	char opts[96];
	_fd_ int fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC), m = -1;
	int r;

	if (fd < 0) /* the zone sees the host's numbers: docs/limits.md */
		return errno == ENOENT || errno == ENODEV || errno == ENXIO ? 0 : err_sys(e, errno, "/dev/fuse");
	snprintf(opts, sizeof opts, "fd=%d,rootmode=40555,user_id=0,group_id=0,allow_other", fd);
	m = mnt_new("fuse", "zone", opts, false, FLAGS, e);
	r = m < 0 ? m : mnt_attach_at(m, AT_FDCWD, b->z.run_dir, e);
	if (r < 0)
		return err_add(e, "the zone's view");
	b->view = take_fd(&m);
	b->view_dev = take_fd(&fd);
	r = build_view_serve(b); /* INIT, which waits already */
	b->view_pid = r < 0 ? r : clone(read_names, stack + sizeof stack, CLONE_VM | CLONE_PIDFD | SIGCHLD, b, &b->view_pidfd);
	return b->view_pid < 0 ? err_sys(e, r < 0 ? r : errno, "the zone's view") : 0;
}

void build_view_undo(struct boot *b)
{
	if (b->view_pid <= 0)
		return;
	own_fd(&b->view_dev); /* which answers what it waits for */
	kill(b->view_pid, SIGKILL);
	while (waitpid(b->view_pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	own_fd(&b->view_pidfd);
	b->view_pid = 0;
}

static int names(struct boot *b, struct err *e)
{
	int st = 0, r = 0;

	while (r == 0) {
		struct pollfd p[2] = {{.fd = b->view_dev, .events = POLLIN}, {.fd = b->view_pidfd, .events = POLLIN}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "poll");
		if (p[1].revents)
			break;
		r = build_view_serve(b);
	}
	while (r == 0 && waitpid(b->view_pid, &st, __WALL) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_sys(e, r, "/dev/fuse");
	own_fd(&b->view_pidfd);
	b->view_pid = 0;
	return st ? err_set(e, EIO, "its names can't be read") : 0;
}

int build_view_files(struct boot *b, struct err *e)
{
	int r;

	if (b->view < 0)
		return 0;
	r = names(b, e);
	for (int f = VIEW_ROOT + 1; r == 0 && f < VIEW_END; f++) {
		const struct view_node *n = &view_nodes[f];
		_fd_ int m = -1;

		if (!n->over || faccessat(n->in_sys ? b->sys : b->proc, n->over, F_OK, 0) < 0)
			continue;
		m = mnt_clone(b->view, n->name, e);
		r = m < 0 ? m : mnt_attach_at(m, n->in_sys ? b->sys : b->proc, n->over, e);
	}
	return r < 0 ? err_add(e, "the zone's view") : 0;
}
