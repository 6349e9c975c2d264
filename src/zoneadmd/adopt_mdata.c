/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The metadata socket of a zone that has lost keeper and worker together: nobody listens at the one in /.zonecontrol, and that place is read-only for good, for
 * us too. So another is made beside the zone's other files and laid over the first, in the zone's mount namespace, by a child that does nothing else there. What the
 * zone has put in that place meanwhile is its own affair, and keeps nobody waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "kern/mount.h"
#include "kern/path.h"
#include "kern/pidfd.h"
#include "kern/sock.h"
#include "zone/mdata.h"
#include "zoneadmd/zoneadmd.h"

#define ENTER_MS 5000
#define GONE_MS  500
#define FLAGS    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const char *const places[] = {"/.zonecontrol/" MDATA_SOCK, "/native/.zonecontrol/" MDATA_SOCK};

/* 0 = one place has it: there need not be two. */
static int lay_over(int init_fd, const int *copy)
{
	_fd_ int root = setns(init_fd, CLONE_NEWNS) < 0 ? -1 : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 1;

	for (size_t i = 0; root >= 0 && i < ARRAY_LEN(places); i++) {
		_fd_ int on = path_open_nolink(root, places[i], O_PATH, 0, NULL);
		struct stat st;

		if (on >= 0 && fstat(on, &st) == 0 && S_ISSOCK(st.st_mode) && mnt_attach(copy[i], on, NULL) == 0)
			rc = 0;
	}
	return rc;
}

/* One that does not come back from the zone's file systems holds nothing that another process waits for, no lock and no pipe. */
static void let_go(int init_fd, const int *copy)
{
	unsigned keep[] = {(unsigned)init_fd, (unsigned)copy[0], (unsigned)copy[1]}, from = 0;

	for (size_t i = 0; i < ARRAY_LEN(keep); i++)
		for (size_t j = i + 1; j < ARRAY_LEN(keep); j++)
			if (keep[j] < keep[i]) {
				unsigned n = keep[i];

				keep[i] = keep[j];
				keep[j] = n;
			}
	for (size_t i = 0; i < ARRAY_LEN(keep); from = keep[i++] + 1)
		if (keep[i] > from)
			close_range(from, keep[i] - 1, 0);
	close_range(from, ~0U, 0);
}

/* -ETIME: the child may be there still. In a file system of the zone's own, which does not answer, not even SIGKILL ends it. */
static int enter(int init_fd, const int *copy)
{
	siginfo_t end = {0};
	pid_t pid = fork();
	_fd_ int child = -1;

	if (pid == 0) {
		let_go(init_fd, copy);
		_exit(lay_over(init_fd, copy));
	}
	child = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (pid < 0)
		return -errno;
	if (child < 0 || pidfd_wait(child, ENTER_MS) < 0) {
		kill(pid, SIGKILL);
		if (child < 0 || pidfd_wait(child, GONE_MS) < 0)
			return -ETIME;
	}
	while (waitid(P_PID, (id_t)pid, &end, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return end.si_code == CLD_EXITED && end.si_status == 0 ? 0 : -EIO;
}

int adopt_mdata(const struct zspec *z, int run_dir, int init_fd)
{
	int copy[ARRAY_LEN(places)] = {-1, -1}, r;
	_fd_ int s = -1;
	char name[40];

	/* each has a name of its own: what is laid over a file that has been unlinked is refused */
	snprintf(name, sizeof name, "asked.%llu", (unsigned long long)clock_mono_ns());
	s = z->root_empty ? -1 : sock_serve(run_dir, name, NULL);
	if (s < 0)
		return -1;
	r = fchownat(run_dir, name, z->id_base, z->id_base, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(places); i++) {
		copy[i] = mnt_clone(run_dir, name, NULL);
		r = copy[i] < 0 ? copy[i] : mnt_attr(copy[i], FLAGS, 0, -1, NULL);
		if (r == 0)
			r = mnt_private(copy[i], NULL);
	}
	if (r == 0)
		r = enter(init_fd, copy);
	/* nobody listens there; under one that is in the zone it stays, with the zone's other files */
	if (r < 0 && r != -ETIME)
		unlinkat(run_dir, name, 0);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		own_fd(&copy[i]);
	return r < 0 ? -1 : take_fd(&s);
}
