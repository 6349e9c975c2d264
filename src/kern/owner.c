/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

/* By system call: libc's setresuid() changes every thread of a program. */
int owner_become(uid_t uid)
{
	unsigned long bits = uid ? SECBIT_NO_SETUID_FIXUP : 0;

	if (uid && prctl(PR_SET_SECUREBITS, bits) < 0)
		return -1;
	if (syscall(SYS_setresuid, -1, uid, -1) < 0)
		return -1;
	return uid ? 0 : prctl(PR_SET_SECUREBITS, bits);
}

int owner_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old)
{
	char path[64];
	_fd_ int ns = -1;
	uid_t uid;
	int r, code;

	if (prlimit(pid, resource, set, old) == 0)
		return 0;
	if (errno != EPERM || geteuid() != 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || ioctl(ns, NS_GET_OWNER_UID, &uid) < 0 || uid == 0) {
		errno = EPERM;
		return -1;
	}
	if (owner_become(uid) < 0)
		return -1;
	r = prlimit(pid, resource, set, old);
	code = errno;
	/* To go on as somebody else would be worse than to stop. */
	if (owner_become(0) < 0)
		abort();
	errno = code;
	return r;
}
