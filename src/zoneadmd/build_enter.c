/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From the host's mounts to the zone's root, in the build namespace.
 *
 *	before   rootfs ── host's root ── /run/… ── zone's root ── /dev, /proc, …
 *	after    rootfs ── zone's root ── /dev, /proc, …
 *
 * pivot_root(2) does it too, but looks at every thread of the host for one that stands on the old root: a third of a
 * microsecond each, a millisecond where a thousand zones run. So the zone's tree is cloned, the host's root is unmounted
 * with all that is on it, and setns(2) into the namespace that we are in takes us to what is left: rootfs, which lies below
 * every root and on which nobody can stand as long as it is covered. What keeps anybody from the host is as with
 * pivot_root that its mounts are not in this namespace any more. Init stands on the old root until it is handed the new
 * one (init_child.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/zoneadmd.h"

static int pivot(struct boot *b, struct err *e)
{
	if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return err_sys(e, errno, "pivot_root");
	return 0;
}

/* 1 = not here: the host's root is locked, as in a container, or there is nothing below it; nothing was changed. */
static int replace(struct boot *b, struct err *e)
{
	_fd_ int tree = open_tree(b->root, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || umount2("/", MNT_DETACH) < 0)
		return 1;
	if (setns(b->build_ns, CLONE_NEWNS) < 0)
		return err_sys(e, errno, "below the host's root");
	if (mnt_attach_at(tree, AT_FDCWD, "/", e) < 0)
		return -e->code;
	/* once more: onto it */
	return setns(b->build_ns, CLONE_NEWNS) < 0 ? err_sys(e, errno, "onto the zone's root") : 0;
}

int build_enter(struct boot *b, struct err *e)
{
	int r = replace(b, e);

	if (r == 1)
		r = pivot(b, e);
	if (r < 0)
		return r;
	own_fd(&b->root);
	b->root = chdir("/") < 0 ? -1 : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return b->root < 0 ? err_sys(e, errno, "the zone's root") : 0;
}
