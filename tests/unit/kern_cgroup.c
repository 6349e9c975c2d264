/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup.h"
#include "kern/cgroup_io.h"
#include "cgroup_node.h"

#define MIB (1ULL << 20)

static const char hybrid[] =
	"22 1 0:20 / /proc rw - proc proc rw\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	"36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n"
	"38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
	"39 31 0:36 / /sys/fs/cgroup/pids\\040x rw,relatime - cgroup cgroup rw,pids\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	"50 31 0:32 / /mnt/memory-again rw,relatime - cgroup cgroup rw,memory\n";

static void parse(void **s)
{
	struct cg_host h;
	struct err e = ERR_INIT;
	char p[CG_JOIN_MAX][256];
	int n;

	assert_int_equal(cg_host_parse(hybrid, &h, &e), 0);
	assert_string_equal(h.v2, "/sys/fs/cgroup/unified");
	assert_string_equal(h.v1[CG_CPU], "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(h.v1[CG_CPUACCT], "/sys/fs/cgroup/cpu,cpuacct");
	assert_string_equal(h.v1[CG_MEMORY], "/sys/fs/cgroup/memory");
	assert_string_equal(h.v1[CG_PIDS], "/sys/fs/cgroup/pids x");
	assert_string_equal(h.v1[CG_CPUSET], "");
	assert_int_equal(h.nother, 3); /* devices, blkio, name=systemd */
	strcpy(h.root, "cloister");
	n = cg_join_paths(&h, CG_PLACE_ZONE, "u", p);
	assert_int_equal(n, 6);
	assert_string_equal(p[0], "/sys/fs/cgroup/cpu,cpuacct/cloister/u/tasks");
	assert_true(str_ends(p[5], "/cloister/_zones/tasks"));
	n = cg_join_paths(&h, CG_PLACE_LOGIN, "u", p);
	assert_int_equal(n, 7);
	assert_string_equal(p[6], "/sys/fs/cgroup/unified/cloister/u/login/cgroup.procs");
	n = cg_join_paths(&h, CG_PLACE_SUP, NULL, p);
	assert_int_equal(n, 7);
	assert_string_equal(p[6], "/sys/fs/cgroup/unified/cloister/_sup/cgroup.procs");
	assert_int_equal(cg_host_parse("30 1 0:1 / /x rw - cgroup2 none rw\n", &h, &e), 0);
	assert_string_equal(h.v2, "/x");
	assert_int_equal(cg_host_parse("", &h, &e), -ENOTSUP);
	assert_int_equal(cg_host_parse(" - \n - cgroup2\n1 2 3 4", &h, &e), -ENOTSUP);
}

/* ---- a pure v2 host, played by plain files ---- */

static void put(const char *dir, const char *file, const char *text)
{
	_free_ char *p = xprintf("%s/%s", dir, file);
	_fd_ int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static char *get(const char *dir, const char *file)
{
	_free_ char *p = xprintf("%s/%s", dir, file);
	_buf_ struct buf b = BUF_INIT;

	assert_int_equal(file_read(AT_FDCWD, p, 4096, &b, NULL), 0);
	return buf_take(&b);
}

#define HOLDS(dir, file, text)                                                                                 \
	do {                                                                                                   \
		_free_ char *t_ = get(dir, file);                                                              \
		assert_string_equal(t_, text);                                                                 \
	} while (0)

static void v2_limits(void **s)
{
	char top[] = "/tmp/cgroup-XXXXXX";
	struct cg_host h = {.root = "c", .swap = true};
	struct err e = ERR_INIT;
	struct cg_usage u;
	char path[CG_JOIN_MAX][256];
	_free_ char *z = NULL, *all = NULL, *rescue = NULL;

	assert_non_null(mkdtemp(top));
	strcpy(h.v2, top);
	h.in_v2[CG_CPU] = h.in_v2[CG_MEMORY] = true;
	z = xprintf("%s/c/u", top);
	assert_int_equal(dir_make(z, 0700, &e), 0);
	put(z, "cpu.weight", "100\n");
	put(z, "cpu.max", "max 100000\n");
	all = xprintf("%s/all", z);
	assert_int_equal(dir_make(all, 0700, &e), 0);
	put(all, "memory.max", "max\n");
	put(all, "memory.high", "max\n");
	put(all, "memory.swap.max", "max\n");
	put(all, "memory.current", "1048576\n");
	put(all, "memory.stat", "anon 1\ninactive_file 4096\nactive_file 0\n");
	put(all, "memory.events", "low 0\noom 3\noom_kill 2\n");
	put(z, "cpu.stat", "usage_usec 5\nuser_usec 1\n");

	assert_int_equal(cg_set_cpu_shares(&h, "u", 250, &e), 0);
	HOLDS(z, "cpu.weight", "250");
	assert_int_equal(cg_set_cpu_shares(&h, "u", 10001, &e), -ENOTSUP);
	assert_int_equal(cg_set_cpu_shares(&h, "u", 1, &e), 0);
	assert_int_equal(cg_set_cpu_shares(&h, "u", 0, &e), -ERANGE);
	HOLDS(z, "cpu.weight", "1");
	assert_int_equal(cg_set_cpu_cap(&h, "u", 350, &e), 0);
	HOLDS(z, "cpu.max", "350000 100000");
	assert_int_equal(cg_set_memory(&h, "u", 256 * MIB, 300 * MIB, &e), 0);
	HOLDS(all, "memory.max", "268435456");
	HOLDS(all, "memory.swap.max", "46137344");
	assert_int_equal(cg_usage(&h, "u", &u, &e), 0);
	assert_true(u.mem_limit == 256 * MIB && u.swap_limit == 300 * MIB && u.cpu_cap == 350 && u.oom_kills == 2);
	assert_true(u.cpu_ns == 5000 && u.pids_limit == UINT64_MAX);
	/* a login goes beside a full zone, to a place with limits of its own in everything */
	rescue = xprintf("%s/rescue", z);
	assert_int_equal(dir_make(rescue, 0700, &e), 0);
	put(rescue, "memory.max", "max\n");
	put(rescue, "memory.swap.max", "max\n");
	assert_int_equal(cg_join_paths(&h, CG_PLACE_LOGIN, "u", path), 1);
	assert_true(str_ends(path[0], "/c/u/all/login/cgroup.procs"));
	assert_int_equal(cg_rescue(&h, "u", path, 1, &e), 0);
	put(all, "memory.current", "268435456\n");
	assert_int_equal(cg_rescue(&h, "u", path, 1, &e), CG_RESCUE_MEMORY);
	assert_true(str_ends(path[0], "/c/u/rescue/cgroup.procs"));
	HOLDS(rescue, "memory.max", "67108864");
	HOLDS(rescue, "memory.swap.max", "0");
	put(all, "memory.stat", "inactive_file 100000000\n");
	assert_int_equal(cg_rescue(&h, "u", path, 1, &e), 0);
	put(all, "memory.current", "1048576\n");
	/* lowering below what is used: nothing can reclaim plain files */
	assert_int_equal(cg_set_memory(&h, "u", MIB / 2, MIB, &e), -EBUSY);
	HOLDS(all, "memory.max", "268435456");
	HOLDS(all, "memory.high", "max");
	assert_int_equal(cg_set_memory(&h, "u", 2 * MIB, MIB, &e), -EINVAL);
	assert_int_equal(cg_set_memory(&h, "u", 0, 0, &e), 0);
	HOLDS(all, "memory.max", "max");
	assert_int_equal(cg_set_cpu_cap(&h, "u", 0, &e), 0);
	HOLDS(z, "cpu.max", "max 100000");
	assert_int_equal(cg_set_pids(&h, "u", 10, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "pids"));
	h.in_v2[CG_PIDS] = true;
	put(all, "pids.max", "max\n");
	put(all, "pids.current", "3\n");
	put(rescue, "pids.max", "max\n");
	assert_int_equal(cg_set_pids(&h, "u", 10, &e), 0);
	HOLDS(all, "pids.max", "10");
	assert_int_equal(cg_rescue(&h, "u", path, 1, &e), CG_RESCUE_PIDS);
	HOLDS(rescue, "pids.max", "64");
	assert_int_equal(dir_remove(AT_FDCWD, top, &e), 0);
}

/* ---- this host ---- */

#define U  "00000000-0000-4000-8000-00000000c001"
#define ID 0x20000000u

static struct ctx ctx = {.oplog = -1, .cancel = -1};
static struct cg_host host;

static int up(void **s)
{
	struct err e = ERR_INIT;

	snprintf(ctx.node.cgroup, sizeof ctx.node.cgroup, "cloister-unit-%d", (int)getpid());
	if (cg_host_find(&ctx, &host, &e) < 0 || cg_node_make(&host, &e) < 0 || cg_node_make(&host, &e) < 0 ||
	    cg_zone_make(&host, U, &e) < 0 || cg_zone_make(&host, U, &e) < 0 || cg_zone_delegate(&host, U, ID, true, &e) < 0) {
		fprintf(stderr, "# %s\n", e.msg);
		return -1;
	}
	return 0;
}

static int down(void **s)
{
	return cgroup_node_remove(&host, U);
}

/* What a zone makes in its own tree is bounded there, so that beside it there is always room: for a login's, made late. */
static void bounds(void **s)
{
	char p[600], t[64];

	snprintf(p, sizeof p, "%s/%s/%s/%s/cgroup.max.descendants", host.v2, host.root, U, cg_zone_below(&host));
	assert_int_equal(cgi_read(p, t, sizeof t), 0);
	assert_string_equal(t, "4096");
	snprintf(p, sizeof p, "%s/%s/%s/%s/cgroup.max.depth", host.v2, host.root, U, cg_zone_below(&host));
	assert_int_equal(cgi_read(p, t, sizeof t), 0);
	assert_string_equal(t, "32");
	snprintf(p, sizeof p, "%s/%s/%s/cgroup.max.descendants", host.v2, host.root, U);
	assert_int_equal(cgi_read(p, t, sizeof t), 0);
	assert_string_equal(t, "max");
	snprintf(p, sizeof p, "%s/%s/%s/login", host.v2, host.root, U);
	assert_int_equal(access(p, F_OK), -1);
}

static pid_t child(enum cg_place place, void (*f)(void))
{
	int go[2];
	char b;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;

		if (cg_join(&host, place, U, 0, &e) < 0)
			_exit(99);
		if (write(go[1], "x", 1) != 1)
			_exit(98);
		f();
		_exit(0);
	}
	close(go[1]);
	assert_int_equal(read(go[0], &b, 1), 1);
	close(go[0]);
	return pid;
}

static void wait_forever(void)
{
	for (;;)
		pause();
}

static void eat(void)
{
	for (size_t i = 0;; i++) {
		volatile char *p = malloc(65536);

		for (size_t j = 0; p && j < 65536; j += 4096)
			p[j] = 1;
		if (!p || i > 4096)
			_exit(1);
	}
}

static void holds_limits(void **s)
{
	struct cg_usage u;
	struct err e = ERR_INIT;

	assert_int_equal(cg_set_cpu_shares(&host, U, 321, &e), 0);
	assert_int_equal(cg_set_cpu_cap(&host, U, 150, &e), 0);
	assert_int_equal(cg_set_memory(&host, U, 64 * MIB, 96 * MIB, &e), 0);
	assert_int_equal(cg_set_pids(&host, U, 33, &e), 0);
	assert_int_equal(cg_usage(&host, U, &u, &e), 0);
	assert_true(u.cpu_shares == 321 && u.cpu_cap == 150 && u.mem_limit == 64 * MIB && u.pids_limit == 33);
	assert_true(!host.swap || u.swap_limit == 96 * MIB);
	/* up past the old bound on both, down below it again, and away */
	assert_int_equal(cg_set_memory(&host, U, 128 * MIB, 128 * MIB, &e), 0);
	assert_int_equal(cg_set_memory(&host, U, 32 * MIB, 40 * MIB, &e), 0);
	assert_int_equal(cg_set_memory(&host, U, 0, 0, &e), 0);
	assert_int_equal(cg_set_cpu_cap(&host, U, 0, &e), 0);
	assert_int_equal(cg_set_pids(&host, U, 0, &e), 0);
	assert_int_equal(cg_usage(&host, U, &u, &e), 0);
	assert_true(u.mem_limit == UINT64_MAX && u.swap_limit == UINT64_MAX && u.pids_limit == UINT64_MAX && u.cpu_cap == 0);
	assert_int_equal(cg_set_pids(&host, "no-such-zone", 3, &e), -ENOENT);
	assert_int_equal(cg_usage(&host, "no-such-zone", &u, &e), -ENOENT);
}

static void kills_at_the_limit(void **s)
{
	struct cg_usage u;
	struct err e = ERR_INIT;
	pid_t pid;
	int st;

	assert_int_equal(cg_set_memory(&host, U, 16 * MIB, 16 * MIB, &e), 0);
	pid = child(CG_PLACE_ZONE, eat);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
	assert_int_equal(cg_usage(&host, U, &u, &e), 0);
	assert_true(u.oom_kills >= 1 && u.mem_peak <= 16 * MIB);
	assert_int_equal(cg_set_memory(&host, U, 0, 0, &e), 0);
}

static void forks(void)
{
	for (int i = 0; i < 64; i++) {
		pid_t p = fork();

		if (p == 0)
			wait_forever();
		if (p < 0)
			_exit(errno == EAGAIN ? 20 + i : 1);
	}
	_exit(2);
}

static void bounds_pids(void **s)
{
	struct err e = ERR_INIT;
	pid_t pid;
	int st;

	assert_int_equal(cg_set_pids(&host, U, 8, &e), 0);
	pid = child(CG_PLACE_LOGIN, forks);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(WEXITSTATUS(st), 27);
	assert_int_equal(cg_zone_populated(&host, U), 1);
	assert_int_equal(cg_zone_kill(&host, U, &e), 0);
	assert_int_equal(cg_set_pids(&host, U, 0, &e), 0);
}

static void open_devices(void)
{
	if (open("/dev/null", O_RDWR) < 0 || open("/dev/urandom", O_RDONLY) < 0)
		_exit(1);
	if (open("/dev/ptmx", O_RDWR | O_NOCTTY) < 0)
		_exit(2);
	if (open("/dev/kmsg", O_RDONLY) >= 0 || errno != EPERM)
		_exit(3);
	if (open("/dev/mem", O_RDONLY) >= 0)
		_exit(4);
	if (mknod("/tmp/.cloister-unit-null", S_IFCHR | 0600, 1 << 8 | 3) == 0 || errno != EPERM)
		_exit(5);
	_exit(0);
}

static void open_kmsg(void)
{
	_exit(open("/dev/kmsg", O_RDONLY) >= 0 ? 0 : 1);
}

static void devices(void **s)
{
	struct cg_dev more[32];
	struct err e = ERR_INIT;
	size_t n;
	const struct cg_dev *d = cg_devices_default(&n);
	pid_t pid;
	int st;

	assert_int_equal(cg_set_devices(&host, U, d, n, &e), 0);
	pid = child(CG_PLACE_ZONE, open_devices);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	memcpy(more, d, n * sizeof *d);
	more[n] = (struct cg_dev){'c', 1, 11, 2};
	assert_int_equal(cg_set_devices(&host, U, more, n + 1, &e), 0);
	pid = child(CG_PLACE_ZONE, open_kmsg);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_int_equal(cg_set_devices(&host, U, d, n, &e), 0);
	pid = child(CG_PLACE_ZONE, open_kmsg);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(WEXITSTATUS(st), 1);
}

static void freezes(void **s)
{
	struct err e = ERR_INIT;
	pid_t pid;
	int st;

	pid = child(CG_PLACE_ZONE, wait_forever);
	assert_int_equal(cg_zone_freeze(&host, U, true, &e), 0);
	assert_int_equal(cg_zone_kill(&host, U, &e), 0);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(cg_zone_freeze(&host, U, false, &e), 0);
	assert_int_equal(cg_zone_populated(&host, U), 0);
}

/* Cgroups that the zone made itself, a process deep in them, and one that only got as far as v1. */
static int count(pid_t pid, void *arg, struct err *e)
{
	*(int *)arg += cg_zone_has(&host, U, pid);
	return 0;
}

static void destroys(void **s)
{
	int members = 0;
	struct err e = ERR_INIT;
	char p[512], t[16];
	pid_t a, b;
	int st, go[2];

	snprintf(p, sizeof p, "%s/%s/" U "/zone/system.slice/x.service/sub", host.v2, host.root);
	assert_int_equal(dir_make(p, 0755, &e), 0);
	a = child(CG_PLACE_ZONE, wait_forever);
	snprintf(t, sizeof t, "%d", (int)a);
	assert_int_equal(file_write(AT_FDCWD, strcat(p, "/cgroup.procs"), t, &e), 0);
	assert_int_equal(cg_zone_each(&host, U, count, &members, &e), 0);
	assert_int_equal(members, 1);
	assert_false(cg_zone_has(&host, "00000000-0000", a));
	assert_int_equal(pipe(go), 0);
	b = fork();
	if (b == 0) {
		close(go[1]);
		wait_forever();
	}
	if (host.v1[CG_MEMORY][0]) {
		snprintf(p, sizeof p, "%s/%s/" U "/cgroup.procs", host.v1[CG_MEMORY], host.root);
		snprintf(t, sizeof t, "%d", (int)b);
		assert_int_equal(file_write(AT_FDCWD, p, t, &e), 0);
	} else {
		kill(b, SIGKILL);
	}
	assert_int_equal(cg_zone_destroy(&host, U, 5000, &e), 0);
	assert_int_equal(waitpid(a, &st, 0), a);
	assert_int_equal(waitpid(b, &st, 0), b);
	assert_true(WIFSIGNALED(st));
	snprintf(p, sizeof p, "%s/%s/" U, host.v2, host.root);
	assert_int_not_equal(access(p, F_OK), 0);
	/* again: nothing is there, and that is fine */
	assert_int_equal(cg_zone_destroy(&host, U, 5000, &e), 0);
	assert_int_equal(cg_zone_kill(&host, U, &e), 0);
}

#define V "0d3b4c2a-0000-4000-8000-0000000000ff"

/* The name of a cgroup is the zone's to choose: it is never another zone's place. */
static void whose(void **s)
{
	static const char *const in[] = {"0::/cloister/" U, "0::/cloister/" U "\n", "0::/cloister/" U "/zone/a b:c\n",
					 "4:memory,cpu:/\n3:pids:/cloister/" U "\n0::/\n", "1:name=systemd:/x\n0::/cloister/" U "/login"};
	static const char *const out[] = {"", "\n", "::", "0:", "0::/cloister", "0::/cloister/" U "x\n", "0::/other/cloister/" U "\n",
					  "0::/cloister/" V "/zone/a:/cloister/" U "\n", "0::/cloister/" V "/zone/:/cloister/" U "/b\n",
					  "0::/cloister/" V "/zone/:1:/cloister/" U "\n", "0:/cloister/" U "\n:/cloister/" U};

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		if (!cg_text_has(in[i], "cloister", U))
			fail_msg("is in the zone: %s", in[i]);
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (cg_text_has(out[i], "cloister", U))
			fail_msg("is not in the zone: %s", out[i]);
	assert_true(cg_text_has("0::/cloister/" V "/zone/a:/cloister/" U "\n", "cloister", V));
}

static void text_zone(void **state)
{
	char uuid[37] = "x";

	assert_true(cg_text_zone("4:memory:/cloister/" V "\n0::/cloister/" U "/all/zone/a\n", "cloister", uuid));
	assert_string_equal(uuid, U);
	assert_true(cg_text_zone("0::/cloister/" V "/zone/0::/cloister/" U "\n", "cloister", uuid));
	assert_string_equal(uuid, V);
	assert_true(cg_text_zone("0::/a/b/" U, "a/b", uuid));
	assert_false(cg_text_zone("0::/cloister/_sup\n", "cloister", uuid));
	assert_false(cg_text_zone("0::/cloister/" U "x\n", "cloister", uuid));
	assert_false(cg_text_zone("0::/other/" U "\n4:cpu:/cloister/" U "\n", "cloister", uuid));
	assert_false(cg_text_zone("", "cloister", uuid));
}

static bool same(const struct cg_host *a, const struct cg_host *b)
{
	for (int i = 0; i < CG_CTLS; i++)
		if (strcmp(a->v1[i], b->v1[i]) || a->in_v2[i] != b->in_v2[i])
			return false;
	for (unsigned i = 0; i < a->nother && a->nother == b->nother; i++)
		if (strcmp(a->other[i], b->other[i]))
			return false;
	return !strcmp(a->v2, b->v2) && !strcmp(a->root, b->root) && !strcmp(a->deleg, b->deleg) && a->nother == b->nother &&
	       a->swap == b->swap;
}

/* What was kept counts for as long as its mounts are those of this machine, whatever the file says. */
static void known(void **s)
{
	struct ctx c = {.node = {.cgroup = "cloister-known"}, .bootid = "0d3b4c2a-0000-4000-8000-000000000001"};
	struct cg_host now, h;
	struct err e = ERR_INIT;
	_buf_ struct buf b = BUF_INIT;
	char path[sizeof c.node.run + 16];

	strcpy(c.node.run, "/tmp/cloister-known-XXXXXX");
	assert_non_null(mkdtemp(c.node.run));
	snprintf(path, sizeof path, "%s/cgroups", c.node.run);
	assert_int_equal(cg_host_find(&c, &now, &e), 0);
	assert_int_equal(cg_host_known(&c, &h, &e), 0);
	assert_true(same(&h, &now));
	cg_host_keep(&c, &now);
	if (file_read(AT_FDCWD, path, 1 << 20, &b, NULL) == 0) { /* else this kernel has no unique ids of mounts */
		char *root = memmem(b.p, b.len, "cloister-known", 14);

		assert_non_null(root);
		/* it is taken from there: a name that nobody looks up again shows it */
		memcpy(root, "cloister-KEPT!", 14);
		assert_int_equal(file_replace(path, b.p, b.len, 0600, 0, &e), 0);
		assert_int_equal(cg_host_known(&c, &h, &e), 0);
		assert_non_null(strstr(h.root, "cloister-KEPT!"));
		/* but not when a mount is another one: the last bytes are ids */
		memset(b.p + b.len - 8 * CG_OTHER_MAX - 8, 0xff, 8);
		assert_int_equal(file_replace(path, b.p, b.len, 0600, 0, &e), 0);
		assert_int_equal(cg_host_known(&c, &h, &e), 0);
		assert_true(same(&h, &now));
		/* nor of another boot, nor cut short */
		cg_host_keep(&c, &now);
		c.bootid[0] = '1';
		assert_int_equal(cg_host_known(&c, &h, &e), 0);
		assert_true(same(&h, &now));
		assert_int_equal(truncate(path, 100), 0);
		assert_int_equal(cg_host_known(&c, &h, &e), 0);
		assert_true(same(&h, &now));
	}
	assert_int_equal(dir_remove(AT_FDCWD, c.node.run, &e), 0);
}

/* Counters of a zone's I/O on the pool's devices, in both forms. */
static void io_of_devices(void **s)
{
	static const char v2[] = "8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
				 "7:1 rbytes=1000 wbytes=2000 rios=100 wios=200 dbytes=9 dios=9\n7:10 rbytes=7 wbytes=7 rios=7 wios=7\n";
	static const char v1[] = "7:1 Read 1000\n7:1 Write 2000\n7:1 Sync 3000\n7:1 Total 3000\n8:16 Read 10\n8:16 Write 20\n"
				 "7:10 Write 7\nTotal 3037\n";
	const dev_t dev[] = {makedev(7, 1), makedev(8, 16)};
	uint64_t u[2];

	cg_text_io_of(v2, true, false, dev, 2, u);
	assert_true(u[0] == 1010 && u[1] == 2020);
	cg_text_io_of(v2, true, true, dev, 1, u);
	assert_true(u[0] == 100 && u[1] == 200);
	cg_text_io_of(v1, false, false, dev, 2, u);
	assert_true(u[0] == 1010 && u[1] == 2020);
	cg_text_io_of(v1, false, false, dev, 1, u);
	assert_true(u[0] == 1000 && u[1] == 2000);
	cg_text_io_of("", false, true, dev, 2, u);
	assert_true(u[0] == 0 && u[1] == 0);
	cg_text_io_of("7:1 \n8:16", true, false, dev, 2, u);
	assert_true(u[0] == 0 && u[1] == 0);
}

int main(void)
{
	const struct CMUnitTest plain[] = {cmocka_unit_test(io_of_devices), cmocka_unit_test(parse), cmocka_unit_test(text_zone), cmocka_unit_test(v2_limits), cmocka_unit_test(known), cmocka_unit_test(whose)};
	const struct CMUnitTest t[] = {cmocka_unit_test(parse), cmocka_unit_test(v2_limits), cmocka_unit_test(known),
				       cmocka_unit_test(whose), cmocka_unit_test(bounds), cmocka_unit_test(holds_limits), cmocka_unit_test(kills_at_the_limit), cmocka_unit_test(bounds_pids),
				       cmocka_unit_test(devices), cmocka_unit_test(freezes), cmocka_unit_test(destroys)};

	if (geteuid() != 0) {
		printf("# cgroups of this host are left out: that needs root\n");
		return cmocka_run_group_tests(plain, NULL, NULL);
	}
	return cmocka_run_group_tests(t, up, down);
}
