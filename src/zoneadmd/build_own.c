/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two tmpfs hold what would be nine: docs/decisions/one-tmpfs.md. Neither is ever seen whole. A folder of theirs becomes a
 * mount with flags of its own, and that folder is all that can be reached from it: there is no way up from a mount's
 * root, no rename and no hard link from one mount to another.
 *
 *	own   dev        /dev             written by the zone's root
 *	      control    /.zonecontrol    the host's; read-only once it is filled
 *	      empty      masks            the host's; read-only
 *	      root       /                the host's, where a zone has no root of its own; read-only once it is filled
 *	      0, 1, …    /run, …          by their number in the spec
 *	all   0, 1, …    /dev/shm, …      written by everybody
 *
 * What is the host's is filled before anything of the zone's runs: a zone that uses up the space takes its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/mount.h"
#include "zoneadmd/zoneadmd.h"

/* Only of an attached mount can every kernel clone a part. It stays behind with the host's mounts. */
static int attached(struct boot *b, const char *name, const char *opts, struct err *e)
{
	_fd_ int m = mnt_new("tmpfs", name, opts, false, 0, e);
	int r = m < 0 ? m : mnt_attach_at(m, AT_FDCWD, b->z.run_dir, e);

	return r < 0 ? r : take_fd(&m);
}

int build_own(struct boot *b, struct err *e)
{
	b->own = attached(b, "own", b->z.own ?: "size=1m,nr_inodes=1024", e);
	if (b->own >= 0 && b->z.all)
		b->all = attached(b, "all", b->z.all, e);
	return b->own < 0 || (b->z.all && b->all < 0) ? -e->code : 0;
}

int own_folder(int tmpfs, const char *name, unsigned mode, uint32_t id, struct err *e)
{
	/* owner first: chown takes setuid and setgid bits away, and umask is the caller's */
	if (mkdirat(tmpfs, name, 0700) < 0 || fchownat(tmpfs, name, id, id, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(tmpfs, name, mode, 0) < 0)
		return err_sys(e, errno, "folder %s of the zone's tmpfs", name);
	return mnt_clone(tmpfs, name, e);
}
