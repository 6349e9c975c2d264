/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/own.h"
#include "model/vm.h"
#include "cgroup_node.h"
#include "zone/limits.h"

#define U   "00000000-0000-4000-8000-00000000c002"
#define MIB (1ULL << 20)

static struct ctx ctx = {.oplog = -1, .cancel = -1};
static struct cg_host host;

static int up(void **s)
{
	struct err e = ERR_INIT;

	snprintf(ctx.node.run, sizeof ctx.node.run, "/tmp/cloister-unit-l%d", (int)getpid());
	mkdir(ctx.node.run, 0700);
	snprintf(ctx.node.cgroup, sizeof ctx.node.cgroup, "cloister-unit-l%d", (int)getpid());
	if (cg_host_find(&ctx, &host, &e) == 0 && cg_node_make(&host, &e) == 0 && cg_zone_make(&host, U, &e) == 0)
		return 0;
	fprintf(stderr, "# %s\n", e.msg);
	return -1;
}

static int down(void **s)
{
	char path[96];

	snprintf(path, sizeof path, "%s/limits", ctx.node.run);
	unlink(path);
	rmdir(ctx.node.run);
	return cgroup_node_remove(&host, U);
}

static json_t *record(int shares, int cap, int mem, int swap, int lwps)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "uuid", U, "cpu_shares", shares, "cpu_cap", cap,
			 "max_physical_memory", mem, "max_swap", swap, "max_lwps", lwps);
}

static void applies(void **s)
{
	_json_ json_t *a = record(250, 150, 128, 256, 300), *b = record(100, 0, 64, 64, 2000), *none = json_object();
	struct err e = ERR_INIT;
	struct limits l;
	uint64_t before;

	assert_true(limits_generation(&ctx) == 0);
	assert_int_equal(limits_apply(&ctx, &host, a, &e), 0);
	before = limits_generation(&ctx);
	assert_true(before != 0);
	assert_int_equal(limits_get(&host, U, 0, &l, &e), 0);
	assert_true(l.cpu_shares == 250 && l.cpu_cap == 150 && l.memory == 128 * MIB && l.lwps == 300);
	assert_true(l.memory_and_swap == (host.swap ? 256 * MIB : UINT64_MAX) && l.locked == UINT64_MAX);
	assert_int_equal(limits_apply(&ctx, &host, b, &e), 0);
	assert_true(limits_generation(&ctx) != before);
	assert_int_equal(limits_get(&host, U, 0, &l, &e), 0);
	assert_true(l.cpu_shares == 100 && l.cpu_cap == UINT64_MAX && l.memory == 64 * MIB && l.lwps == 2000);
	assert_int_equal(limits_apply(&ctx, &host, none, &e), -EINVAL);
	assert_int_equal(limits_get(&host, "none", 0, &l, &e), -ENOENT);
}

static void locks(void **s)
{
	struct rlimit rl;
	struct err e = ERR_INIT;
	struct limits l;
	int ready[2], r;
	uint64_t high; /* RLIM_INFINITY is UINT64_MAX */
	char t;
	pid_t pid;

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &rl), 0);
	high = rl.rlim_max;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		/* a family: the limit has to reach all of it */
		if (cg_join(&host, CG_PLACE_ZONE, U, 0, &e) < 0)
			_exit(1);
		fork();
		fork();
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(read(ready[0], &t, 1), 1);
	close(ready[0]);
	assert_int_equal(limits_get(&host, U, pid, &l, &e), 0);
	assert_true(l.locked == high);
	assert_int_equal(limits_locked_live(&host, U, MIB, &e), 0);
	assert_int_equal(limits_get(&host, U, pid, &l, &e), 0);
	assert_true(l.locked == MIB);
	/* raising: allowed or refused, as the kernel sees us; never said to be done when it is not */
	r = limits_locked_live(&host, U, 64 * MIB, &e);
	assert_int_equal(limits_get(&host, U, pid, &l, NULL), 0);
	assert_true(r == 0 ? l.locked == 64 * MIB : r == -EPERM && l.locked == MIB && strstr(e.hint, "reboot"));
	assert_int_equal(cg_zone_kill(&host, U, &e), 0);
	assert_int_equal(waitpid(pid, &r, 0), pid);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(applies), cmocka_unit_test(locks)};

	if (geteuid() != 0) {
		printf("1..0 # SKIP cgroups need root\n");
		return 77;
	}
	return cmocka_run_group_tests(t, up, down);
}
