/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/slice.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#define SHARES_PLAIN 100
#define SLICE_PLAIN  700000 /* ns: the shortest that a kernel gives everyone, on one processor */
#define SLICE_LEAST  300000 /* a tick that falls into a request of a quarter of a millisecond is not to end it */

#define KEEP_POLICY 0x08 /* SCHED_FLAG_KEEP_POLICY */

/* struct sched_attr of Linux 4.x: libcs that have it name it differently */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

uint64_t slice_of_shares(uint64_t shares)
{
	uint64_t ns;

	if (shares <= SHARES_PLAIN)
		return 0;
	ns = shares > SLICE_PLAIN ? 0 : SLICE_PLAIN * (uint64_t)SHARES_PLAIN / shares;
	return ns > SLICE_LEAST ? ns : SLICE_LEAST;
}

int slice_set(pid_t tid, uint64_t ns)
{
	struct attr a = {.size = sizeof a};

	if (syscall(SYS_sched_getattr, tid, &a, sizeof a, 0) < 0)
		return -errno;
	if (a.policy != SCHED_OTHER && a.policy != SCHED_BATCH)
		return 0;
	if (a.runtime == 0)
		return -EOPNOTSUPP;
	if (a.runtime == ns)
		return 0;
	a.size = sizeof a;
	a.flags = KEEP_POLICY;
	a.runtime = ns;
	if (syscall(SYS_sched_setattr, tid, &a, 0) < 0 || syscall(SYS_sched_getattr, tid, &a, sizeof a, 0) < 0)
		return -errno;
	return ns && a.runtime != ns ? -EOPNOTSUPP : 0;
}

int slice_set_all(pid_t pid, uint64_t ns)
{
	_dir_ DIR *d = NULL;
	struct dirent *f;
	char path[32];
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (f = readdir(d))) {
		pid_t tid = (pid_t)strtol(f->d_name, NULL, 10);
		int n = tid > 0 ? slice_set(tid, ns) : 0;

		if (n < 0 && n != -ESRCH && r == 0)
			r = n;
	}
	return r;
}
