/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Drives kern/cgroup.h for tests/system/limits.sh, on the node of the environment:
 *
 *	cgroup_check hogs SECONDS CPU UUID:SHARES:CAP:PROCESSES…   busy loops on one processor; prints "UUID percent"
 *	cgroup_check run UUID PROGRAM…                             in a zone's cgroups with the default devices; its status
 *	cgroup_check set UUID memory|pids|cap|shares N [M]         as the functions take them
 *	cgroup_check usage UUID                                    names and numbers
 *	cgroup_check destroy UUID…
 */
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/str.h"
#include "kern/cgroup.h"
#include "kern/seccomp.h"

#define ID 0x20000000u

static struct cg_host h;

static void must(int r, const struct err *e)
{
	if (r >= 0)
		return;
	fprintf(stderr, "cgroup_check: %s\n", e->msg);
	exit(1);
}

static pid_t start(const char *uuid, int cpu, char **argv)
{
	struct err e = ERR_INIT;
	cpu_set_t set;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(cg_join(&h, CG_PLACE_ZONE, uuid, 0, &e), &e);
	if (argv) {
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
	for (volatile uint64_t i = 0;; i++)
		;
}

static int hogs(int argc, char **argv)
{
	struct itimerspec t = {.it_value.tv_sec = atoi(argv[0])};
	int cpu = atoi(argv[1]), n = argc - 2, fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct cg_usage before[16], after;
	uint64_t tick, from;
	struct err e = ERR_INIT;
	char uuid[16][64];

	for (int i = 0; i < n && i < 16; i++) {
		unsigned long shares, cap;
		int procs;

		if (sscanf(argv[2 + i], "%63[^:]:%lu:%lu:%d", uuid[i], &shares, &cap, &procs) != 4)
			return 2;
		must(cg_zone_make(&h, uuid[i], &e), &e), must(cg_zone_delegate(&h, uuid[i], ID, true, &e), &e);
		must(cg_set_cpu_shares(&h, uuid[i], shares, &e), &e);
		must(cg_set_cpu_cap(&h, uuid[i], cap, &e), &e);
		for (int k = 0; k < procs; k++)
			if (start(uuid[i], cpu, NULL) < 0)
				return 1;
	}
	for (int i = 0; i < n; i++)
		must(cg_usage(&h, uuid[i], &before[i], &e), &e);
	from = clock_mono_ns();
	timerfd_settime(fd, 0, &t, NULL);
	if (read(fd, &tick, sizeof tick) != sizeof tick)
		return 1;
	for (int i = 0; i < n; i++) {
		must(cg_usage(&h, uuid[i], &after, &e), &e);
		printf("%s %.1f\n", uuid[i], 100.0 * (double)(after.cpu_ns - before[i].cpu_ns) / (double)(clock_mono_ns() - from));
	}
	for (int i = 0; i < n; i++)
		must(cg_zone_destroy(&h, uuid[i], 5000, &e), &e);
	return 0;
}

static int set(int argc, char **argv)
{
	uint64_t v, w = 0;
	struct err e = ERR_INIT;
	int r = -1;

	if (argc < 3 || str_to_bytes(argv[2], &v) < 0 || (argc > 3 && str_to_bytes(argv[3], &w) < 0))
		return 2;
	if (!strcmp(argv[1], "memory"))
		r = cg_set_memory(&h, argv[0], v, w, &e);
	else if (!strcmp(argv[1], "pids"))
		r = cg_set_pids(&h, argv[0], v, &e);
	else if (!strcmp(argv[1], "cap"))
		r = cg_set_cpu_cap(&h, argv[0], v, &e);
	else if (!strcmp(argv[1], "shares"))
		r = cg_set_cpu_shares(&h, argv[0], v, &e);
	must(r, &e);
	return 0;
}

static int run(char **argv)
{
	struct err e = ERR_INIT;
	size_t n;
	const struct cg_dev *d = cg_devices_default(&n);
	int st;
	pid_t pid;

	must(cg_zone_make(&h, argv[0], &e), &e);
	must(cg_zone_delegate(&h, argv[0], ID, true, &e), &e);
	must(cg_set_devices(&h, argv[0], d, n, &e), &e);
	pid = start(argv[0], 0, argv + 1);
	if (pid < 0 || waitpid(pid, &st, 0) != pid)
		return 1;
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct cg_usage u;
	struct ctx c;

	if (argc < 3)
		return 2;
	must(ctx_init(&c, NULL, &e), &e);
	must(cg_host_find(&c, &h, &e), &e);
	must(cg_node_make(&h, &e), &e);
	if (!strcmp(argv[1], "hogs") && argc > 4)
		return hogs(argc - 2, argv + 2);
	if (!strcmp(argv[1], "set"))
		return set(argc - 2, argv + 2);
	if (!strcmp(argv[1], "run") && argc > 3)
		return run(argv + 2);
	if (!strcmp(argv[1], "usage")) {
		must(cg_usage(&h, argv[2], &u, &e), &e);
		printf("memory %" PRIu64 "\nmemory_limit %" PRIu64 "\nswap_limit %" PRIu64 "\npids %" PRIu64 "\npids_limit %" PRIu64
		       "\ncpu_shares %" PRIu64 "\ncpu_cap %" PRIu64 "\noom_kills %" PRIu64 "\n",
		       u.mem_bytes, u.mem_limit, u.swap_limit, u.pids, u.pids_limit, u.cpu_shares, u.cpu_cap, u.oom_kills);
		return 0;
	}
	if (!strcmp(argv[1], "destroy")) {
		for (int i = 2; i < argc; i++)
			must(cg_zone_destroy(&h, argv[i], 5000, &e), &e);
		return 0;
	}
	return 2;
}
