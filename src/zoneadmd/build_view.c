/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper's side of the view: mounts it where the zone's root is going to cover it, and lays its files over the
 * kernel's. No worker runs yet, and whoever looks up a name waits for an answer: so a child, which shares our memory and
 * descriptors for that while, answers the three requests that it takes (INIT, OPENDIR, READDIRPLUS: all names at once).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#define FLAGS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY)

struct early {
	int fd;
	uint32_t uid;
};

static int early_serve(void *arg)
{
	static char in[FUSEDEV_IN];
	struct early *s = arg;

	for (;;) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		struct fusedev_ask a;
		ssize_t n;

		if (poll(&p, 1, -1) < 0)
			continue;
		n = read(s->fd, in, sizeof in);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOENT))
			continue;
		if (n < 0 || fusedev_parse(in, (size_t)n, &a) < 0)
			_exit(1);
		view_names(s->fd, &a, in, (size_t)n, s->uid);
		if (a.op == FUSE_READDIRPLUS || a.op == FUSE_READDIR)
			_exit(0);
	}
}

int build_view(struct boot *b, struct err *e)
{
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
	return 0;
}

/* The names come into the kernel's cache of them, where they stay: nobody is asked again. */
static int names(struct boot *b, struct err *e)
{
	_fd_ int dir = openat(b->view, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char ents[1024];

	if (dir < 0 || syscall(SYS_getdents64, dir, ents, sizeof ents) <= 0)
		return err_sys(e, errno, "names of the zone's view");
	return 0;
}

static int names_by_child(struct boot *b, struct err *e)
{
	static char stack[16384] __attribute__((aligned(16)));
	struct early s = {b->view_dev, b->z.id_base};
	int st = 0, r;
	pid_t pid = clone(early_serve, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, &s);

	if (pid < 0)
		return err_sys(e, errno, "clone");
	r = names(b, e);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &st, __WALL) < 0 && errno == EINTR)
		;
	return r;
}

int build_view_files(struct boot *b, struct err *e)
{
	int r;

	if (b->view < 0)
		return 0;
	r = names_by_child(b, e);
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
