/* SPDX-License-Identifier: MPL-2.0 */
#include "zone/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/pidfd.h"

static int set(int fd, int cmd, enum claim what, short type)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)what, .l_len = 1};

	return fcntl(fd, cmd, &fl) < 0 ? -errno : 0;
}

/* 0 = nobody's but the caller's; -1 = somebody's that this process namespace has no number for. */
static pid_t holder(int fd, enum claim what)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)what, .l_len = 1};

	if (fcntl(fd, F_GETLK, &fl) < 0 || fl.l_type == F_UNLCK)
		return 0;
	return fl.l_pid > 0 ? fl.l_pid : -1;
}

int claim_take(int fd, enum claim what, bool wait)
{
	int r;

	if (what == CLAIM_WORK)
		return set(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, what, F_WRLCK);
	r = set(fd, wait ? F_SETLKW : F_SETLK, what, F_WRLCK);
	return r == -EACCES ? -EAGAIN : r;
}

void claim_yield(int fd, enum claim what)
{
	set(fd, what == CLAIM_WORK ? F_OFD_SETLK : F_SETLK, what, F_UNLCK);
}

int claim_end_booting(int fd, int ms)
{
	pid_t pid = holder(fd, CLAIM_BOOTING);
	_fd_ int p = pid > 0 ? pidfd_open(pid, 0) : -1;

	/* still its number behind the open: so it is that process that we hold */
	if (p < 0 || holder(fd, CLAIM_BOOTING) != pid)
		return 0;
	pidfd_kill(p, SIGKILL);
	return pidfd_wait(p, ms);
}
