/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where the numbers of the view come from: the zone's cgroups, whichever hierarchy holds the controller. The folders are
 * held open, the files are not: a file of a cgroup that was read keeps a buffer of a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "kern/cgroup_stat.h"
#include "zone/run.h"
#include "zone/settings.h"
#include "zoneadmd/part.h"
#include "zoneadmd/view.h"
#include "zoneadmd/zoneadmd.h"

#define TEXT 8192

static struct {
	const char *uuid;
	int r;               /* what view_src_start() has found; 1 = not called yet */
	int v2, limits;      /* <uuid> in the v2 tree, and where its limit of memory is */
	int mem, cpu, pids;  /* v1; -1 = the controller is on v2 */
	uint32_t uid;
	pid_t init;
	uint64_t start;      /* of init, clock ticks since the machine's boot */
	uint64_t cap;        /* as set, percent of one; UINT64_MAX = ask the cgroup */
} src = {.r = 1, .v2 = -1, .limits = -1, .mem = -1, .cpu = -1, .pids = -1, .cap = UINT64_MAX};

static ssize_t read_at(int dir, const char *name, char *out, size_t size)
{
	_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, out, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	return n;
}

static uint64_t number_at(int dir, const char *name, uint64_t dflt)
{
	char t[64];
	uint64_t v = read_at(dir, name, t, sizeof t) < 0 ? CGV_UNKNOWN : cg_text_number(t);

	return v == CGV_UNKNOWN ? dflt : v;
}

ssize_t view_v2(const char *name, char *out, size_t size)
{
	return read_at(src.v2, name, out, size);
}

/* ---- what the zone is, from the spec that it was booted from ---- */

static int folder(const char *path, size_t n)
{
	char p[512];

	if (n >= sizeof p)
		return -1;
	memcpy(p, path, n);
	p[n] = '\0';
	return open(p, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A v1 cgroup of the zone's: kept as what it has the files of; one hierarchy may hold several controllers. */
static void v1_folder(const char *path, size_t n)
{
	static const char *const file[] = {"memory.limit_in_bytes", "cpu.cfs_quota_us", "pids.max"};
	int *const slot[] = {&src.mem, &src.cpu, &src.pids};
	_fd_ int d = folder(path, n);

	for (size_t i = 0; d >= 0 && i < ARRAY_LEN(slot); i++)
		if (*slot[i] < 0 && faccessat(d, file[i], F_OK, 0) == 0)
			*slot[i] = fcntl(d, F_DUPFD_CLOEXEC, FD_FREE);
}

static size_t parent(const char *path, size_t n)
{
	while (n > 0 && path[--n] != '/')
		;
	return n;
}

static bool record(const char *key, const char *value, void *arg)
{
	const char *uuid = arg;
	size_t k = strlen(uuid), n = parent(value, strlen(value));

	if (!strcmp(key, "id_base")) {
		src.uid = (uint32_t)strtoul(value, NULL, 10);
	} else if (!strcmp(key, "cg_v2_zone")) {
		src.limits = folder(value, n);
		while (n > k && memcmp(value + n - k, uuid, k) != 0)
			n = parent(value, n);
		src.v2 = folder(value, n);
	} else if (!strcmp(key, "join") && n > k && !memcmp(value + n - k, uuid, k)) {
		v1_folder(value, n);
	}
	return false;
}

static int find(const char *uuid)
{
	_buf_ struct buf text = BUF_INIT;
	struct run_zone z;
	int r = spec_scan(FD_RUN, record, (void *)(uintptr_t)uuid);

	if (r < 0 || src.v2 < 0)
		return r < 0 ? r : -ENOENT;
	if (file_read(FD_RUN, "zone", 4096, &text, NULL) < 0 || run_zone_parse(buf_str(&text), &z) < 0)
		return -ENOENT;
	src.init = z.init.pid;
	src.start = z.init.start;
	return 0;
}

int view_src_start(const char *uuid)
{
	src.uuid = uuid;
	if (src.r > 0)
		src.r = find(uuid);
	return src.r;
}

void view_src_settings(const char *text)
{
	src.cap = settings_u64(text, "cpu_cap", UINT64_MAX);
}

const char *view_uuid(void)
{
	return src.uuid;
}

uint32_t view_uid(void)
{
	return src.uid;
}

/* ---- memory ---- */

static const char *const keys_v1[VM_COUNT] = {
	[VM_ANON] = "total_rss", [VM_FILE] = "total_cache", [VM_SHMEM] = "total_shmem", [VM_MAPPED] = "total_mapped_file",
	[VM_DIRTY] = "total_dirty", [VM_WRITEBACK] = "total_writeback", [VM_SWAPCACHED] = "total_swapcached",
	[VM_INACTIVE_ANON] = "total_inactive_anon", [VM_ACTIVE_ANON] = "total_active_anon", [VM_INACTIVE_FILE] = "total_inactive_file",
	[VM_ACTIVE_FILE] = "total_active_file", [VM_UNEVICTABLE] = "total_unevictable", [VM_RECLAIMABLE] = "", [VM_UNRECLAIMABLE] = "",
	[VM_STACK] = "", [VM_PAGETABLES] = "", [VM_PERCPU] = "", [VM_THP] = "total_rss_huge", [VM_FAULTS] = "total_pgfault",
	[VM_MAJFAULTS] = "total_pgmajfault", [VM_SWAPIN] = "", [VM_SWAPOUT] = "",
};
static const char *const keys_v2[VM_COUNT] = {
	[VM_ANON] = "anon", [VM_FILE] = "file", [VM_SHMEM] = "shmem", [VM_MAPPED] = "file_mapped", [VM_DIRTY] = "file_dirty",
	[VM_WRITEBACK] = "file_writeback", [VM_SWAPCACHED] = "swapcached", [VM_INACTIVE_ANON] = "inactive_anon",
	[VM_ACTIVE_ANON] = "active_anon", [VM_INACTIVE_FILE] = "inactive_file", [VM_ACTIVE_FILE] = "active_file",
	[VM_UNEVICTABLE] = "unevictable", [VM_RECLAIMABLE] = "slab_reclaimable", [VM_UNRECLAIMABLE] = "slab_unreclaimable",
	[VM_STACK] = "kernel_stack", [VM_PAGETABLES] = "pagetables", [VM_PERCPU] = "percpu", [VM_THP] = "anon_thp", [VM_FAULTS] = "pgfault",
	[VM_MAJFAULTS] = "pgmajfault", [VM_SWAPIN] = "pswpin", [VM_SWAPOUT] = "pswpout",
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int view_memory(struct view_memory *m)
{
	bool v1 = src.mem >= 0;
	int dir = v1 ? src.mem : src.limits;
	struct sysinfo si;
	char t[TEXT];
	uint64_t swap;

	memset(m, 0, sizeof *m);
	if (sysinfo(&si) < 0)
		return -errno;
	m->total = least(number_at(dir, v1 ? "memory.limit_in_bytes" : "memory.max", CGV_NONE), (uint64_t)si.totalram * si.mem_unit);
	m->used = number_at(dir, v1 ? "memory.usage_in_bytes" : "memory.current", 0);
	if (read_at(dir, "memory.stat", t, sizeof t) < 0)
		return -EIO;
	cg_text_lines(t, v1 ? keys_v1 : keys_v2, VM_COUNT, m->of);
	/* counted one after the other, and the latter late: what is in use can't be less than what it is made of */
	if (m->used < m->of[VM_ANON] + m->of[VM_FILE])
		m->used = least(m->of[VM_ANON] + m->of[VM_FILE], m->total);
	if (v1) { /* all that the kernel itself needs for the zone, in one number */
		m->of[VM_UNRECLAIMABLE] = number_at(dir, "memory.kmem.usage_in_bytes", 0);
		swap = number_at(dir, "memory.memsw.limit_in_bytes", m->total);
		swap = swap == CGV_NONE ? CGV_NONE : swap > m->total ? swap - m->total : 0;
		m->swap_used = number_at(dir, "memory.memsw.usage_in_bytes", 0);
		m->swap_used = m->swap_used > m->used ? m->swap_used - m->used : 0;
	} else {
		swap = number_at(dir, "memory.swap.max", 0);
		m->swap_used = number_at(dir, "memory.swap.current", 0);
	}
	m->swap_total = least(swap, (uint64_t)si.totalswap * si.mem_unit);
	m->swap_used = least(m->swap_used, m->swap_total);
	return 0;
}

uint64_t view_tasks(void)
{
	return number_at(src.pids >= 0 ? src.pids : src.limits, "pids.current", 0);
}

void view_busy(unsigned *running, unsigned *blocked)
{
	view_count(src.cpu >= 0 ? src.cpu : src.mem, src.limits, running, blocked);
}

/* ---- processors ---- */

/* Percent of one processor; 0 = no cap. What is set goes before what the kernel has: bursting changes that for a while. */
static uint64_t cap(void)
{
	uint64_t quota, period = 100000;
	char t[64];

	if (src.cap != UINT64_MAX)
		return src.cap;
	if (src.cpu >= 0) {
		quota = number_at(src.cpu, "cpu.cfs_quota_us", CGV_NONE);
		period = number_at(src.cpu, "cpu.cfs_period_us", period);
	} else {
		if (read_at(src.v2, "cpu.max", t, sizeof t) < 0)
			return 0;
		quota = cg_text_number(t);
		period = strchr(t, ' ') ? cg_text_number(strchr(t, ' ') + 1) : period;
	}
	return quota == CGV_NONE || !period || quota > UINT64_MAX / 100 ? 0 : quota * 100 / period;
}

unsigned view_cpus_max(void)
{
	uint64_t n = (cap() + 99) / 100;

	return n < CPUS_MAX ? (unsigned)n : CPUS_MAX;
}

/* It does not change while the machine runs. */
unsigned view_cpus_known(void)
{
	static unsigned n;
	char t[CPUS_TEXT];
	struct cpus all;

	if (!n && read_at(AT_FDCWD, "/sys/devices/system/cpu/possible", t, sizeof t) > 0) {
		t[strcspn(t, "\n")] = '\0';
		for (n = cpus_parse(t, &all) < 0 ? 0 : CPUS_MAX; n && !cpus_has(&all, n - 1); n--)
			;
	}
	return n ? n : CPUS_MAX + 1;
}

struct cpus view_cpus_shown(const struct cpus *all, unsigned max)
{
	return max ? cpus_from(all, max, (unsigned)(str_hash(src.uuid, strlen(src.uuid)) % view_cpus_known())) : *all;
}

/* Of those that its init may run on (cpuset, dedicated ones). */
static void processors(struct view_cpu *c)
{
	struct cpus all = {{0}};

	if (sched_getaffinity(src.init, sizeof all, (cpu_set_t *)(void *)&all) < 0)
		all.bits[0] = 1;
	c->cpus = view_cpus_shown(&all, view_cpus_max());
	c->n = cpus_count(&c->cpus);
}

static uint64_t since_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* As /proc/uptime has it in the zone, rounded up as sysinfo(2) does: by what its time namespace takes away. */
uint64_t view_uptime(void)
{
	static int64_t offset = 1;
	long long s = 0, ns = 0;

	if (offset > 0) {
		_buf_ struct buf t = BUF_INIT;
		char path[48], *b;

		snprintf(path, sizeof path, "/proc/%d/timens_offsets", (int)src.init);
		if (file_read(AT_FDCWD, path, 256, &t, NULL) < 0 || !(b = strstr(buf_str(&t), "boottime")) || sscanf(b + 8, "%lld %lld", &s, &ns) != 2)
			s = -(long long)(src.start / (uint64_t)sysconf(_SC_CLK_TCK)); /* that is when its init began */
		offset = s * 1000000000 + ns;
	}
	return (since_boot_ns() + (uint64_t)offset + 999999999) / 1000000000;
}

int view_cpu(struct view_cpu *c)
{
	uint64_t began = src.start * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK)), now = since_boot_ns(), v;
	char t[1024];

	memset(c, 0, sizeof *c);
	if (read_at(src.v2, "cpu.stat", t, sizeof t) < 0)
		return -EIO;
	c->up_ns = now > began ? now - began : 0;
	c->boot_s = (int64_t)((clock_wall_ns() - c->up_ns + 500000000) / 1000000000);
	c->user_us = (v = cg_text_keyed(t, "user_usec")) < CGV_NONE ? v : 0;
	c->sys_us = (v = cg_text_keyed(t, "system_usec")) < CGV_NONE ? v : 0;
	c->nice_us = (v = cg_text_keyed(t, "nice_usec")) < CGV_NONE ? least(v, c->user_us) : 0;
	processors(c);
	return 0;
}
