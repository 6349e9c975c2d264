/* SPDX-License-Identifier: MPL-2.0 */
#include "kern/plain.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

void plain_limit(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit now, want = {soft, hard};

	if (setrlimit((__rlimit_resource_t)which, &want) == 0 || getrlimit((__rlimit_resource_t)which, &now) < 0)
		return;
	want.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
	want.rlim_cur = soft < want.rlim_max ? soft : want.rlim_max;
	setrlimit((__rlimit_resource_t)which, &want);
}

void plain_self(void)
{
	struct sched_param none = {0};

	sched_setscheduler(0, SCHED_OTHER, &none);
	setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 0);
	plain_limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	plain_limit(RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY);
	plain_limit(RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY);
	plain_limit(RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY);
	plain_limit(RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY);
	plain_limit(RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY);
	plain_limit(RLIMIT_STACK, 8u << 20, RLIM_INFINITY);
	plain_limit(RLIMIT_RTPRIO, 0, 0);
	plain_limit(RLIMIT_NICE, 0, 0);
}
