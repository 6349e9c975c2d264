/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Namespaces need capabilities, so they come before all of giveup(). openat(2) is not in the filter, only openat2(2), which the tree
 * code always calls with RESOLVE flags: so nothing in the C library can load a file (character set modules, say) out of the tree.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/giveup.h"
#include "unpack/unpack.h"

static const char *filter(bool tree)
{
	static const int own[] = {
		SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(gettimeofday),
		SCMP_SYS(time),
	};
	/* and what a tree is made with; a disk, or a digest, is of descriptors alone */
	static const int trees[] = {
		SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(getdents64), SCMP_SYS(openat2), SCMP_SYS(mkdirat), SCMP_SYS(symlinkat),
		SCMP_SYS(linkat), SCMP_SYS(unlinkat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fchmod), SCMP_SYS(utimensat),
		SCMP_SYS(ftruncate), SCMP_SYS(fsetxattr), SCMP_SYS(mknodat),
	};
	scmp_filter_ctx f = giveup_filter();
	bool ok = giveup_allow(f, own, ARRAY_LEN(own)) && giveup_allow_data(f, SCMP_SYS(mprotect));

	return giveup_load(f, ok && (!tree || giveup_allow(f, trees, ARRAY_LEN(trees))));
}

void lock_in(const struct unpack *u)
{
	const uint64_t tree_caps = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP;
	const struct giveup_limit limit[] = {
		{RLIMIT_NOFILE, 2 * 256 + 64}, /* the deepest tree that is removed, twice */
		{RLIMIT_FSIZE, u->max_bytes},
		{RLIMIT_AS, 2UL << 30},
		{RLIMIT_MEMLOCK, 0},
	};
	bool tree = !u->digest && !u->disk;
	/* a caller with less than all capabilities is fine: what it lacks shows when the archive needs it */
	struct giveup g = {.root = tree ? FD_ROOT : -1, .uid = GIVEUP_SAME_UID, .caps = tree ? tree_caps : 0, .limit = limit, .nlimits = ARRAY_LEN(limit)};
	const char *why;

	if (close_range(FD_STATUS + 1, ~0U, 0) < 0)
		fail(errno, "close_range");
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS) < 0)
		fail(errno, "unshare");
	/* no tree: an empty place of its own would need a mount; without a folder all opens fail by the filter */
	if (!tree && chdir("/") < 0)
		fail(errno, "chdir");
	why = giveup(&g);
	if (!why)
		why = filter(tree);
	if (why)
		fail(errno, "can't give up its rights: %s", why);
}
