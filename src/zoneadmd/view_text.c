/* SPDX-License-Identifier: MPL-2.0 */
/* The texts of the view, each as the kernel writes its own. What the kernel does not count for a zone is 0 or left out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "kern/cgroup_stat.h"
#include "zoneadmd/view.h"

#define CPUINFO_MAX (4u << 20)

static void kib(struct buf *o, const char *name, uint64_t bytes)
{
	buf_printf(o, "%-15s %8llu kB\n", name, (unsigned long long)bytes / 1024);
}

static int meminfo(struct buf *o)
{
	struct view_memory m;
	const uint64_t *of = m.of;
	uint64_t free, file, avail;
	int r = view_memory(&m);

	if (r < 0)
		return r;
	free = m.total > m.used ? m.total - m.used : 0;
	file = of[VM_ACTIVE_FILE] + of[VM_INACTIVE_FILE];
	avail = free + file + of[VM_RECLAIMABLE];
	kib(o, "MemTotal:", m.total);
	kib(o, "MemFree:", free);
	kib(o, "MemAvailable:", avail < m.total ? avail : m.total);
	kib(o, "Buffers:", 0);
	kib(o, "Cached:", of[VM_FILE]);
	kib(o, "SwapCached:", of[VM_SWAPCACHED]);
	kib(o, "Active:", of[VM_ACTIVE_ANON] + of[VM_ACTIVE_FILE]);
	kib(o, "Inactive:", of[VM_INACTIVE_ANON] + of[VM_INACTIVE_FILE]);
	kib(o, "Active(anon):", of[VM_ACTIVE_ANON]);
	kib(o, "Inactive(anon):", of[VM_INACTIVE_ANON]);
	kib(o, "Active(file):", of[VM_ACTIVE_FILE]);
	kib(o, "Inactive(file):", of[VM_INACTIVE_FILE]);
	kib(o, "Unevictable:", of[VM_UNEVICTABLE]);
	kib(o, "Mlocked:", of[VM_UNEVICTABLE]);
	kib(o, "SwapTotal:", m.swap_total);
	kib(o, "SwapFree:", m.swap_total - m.swap_used);
	kib(o, "Dirty:", of[VM_DIRTY]);
	kib(o, "Writeback:", of[VM_WRITEBACK]);
	kib(o, "AnonPages:", of[VM_ANON]);
	kib(o, "Mapped:", of[VM_MAPPED]);
	kib(o, "Shmem:", of[VM_SHMEM]);
	kib(o, "KReclaimable:", of[VM_RECLAIMABLE]);
	kib(o, "Slab:", of[VM_RECLAIMABLE] + of[VM_UNRECLAIMABLE]);
	kib(o, "SReclaimable:", of[VM_RECLAIMABLE]);
	kib(o, "SUnreclaim:", of[VM_UNRECLAIMABLE]);
	kib(o, "KernelStack:", of[VM_STACK]);
	kib(o, "PageTables:", of[VM_PAGETABLES]);
	kib(o, "NFS_Unstable:", 0);
	kib(o, "Bounce:", 0);
	kib(o, "WritebackTmp:", 0);
	kib(o, "CommitLimit:", m.total + m.swap_total);
	kib(o, "Committed_AS:", m.used + m.swap_used);
	kib(o, "VmallocTotal:", 0);
	kib(o, "VmallocUsed:", 0);
	kib(o, "VmallocChunk:", 0);
	kib(o, "Percpu:", of[VM_PERCPU]);
	kib(o, "AnonHugePages:", of[VM_THP]);
	return 0;
}

/* The host's, for the processors that the zone is shown. */
static int cpuinfo(struct buf *o)
{
	_buf_ struct buf host = BUF_INIT;
	struct view_cpu c;
	int r = view_cpu(&c);

	if (r == 0)
		r = file_read(AT_FDCWD, "/proc/cpuinfo", CPUINFO_MAX, &host, NULL);
	for (const char *p = buf_str(&host), *end; r == 0 && *p; p = end) {
		const char *next = strstr(p, "\n\n"), *id = p;
		bool numbered = !strncmp(p, "processor", 9);

		end = next ? next + 2 : p + strlen(p);
		if (numbered)
			id += 9 + strspn(p + 9, "\t :");
		/* a block without a number is about the whole machine */
		if (!numbered || cpus_has(&c.cpus, (unsigned)strtoul(id, NULL, 10)))
			buf_add(o, p, (size_t)(end - p));
	}
	return r;
}

/* What was idle never grows less, also when processors are taken away. */
static uint64_t idle_us(const struct view_cpu *c)
{
	static uint64_t up, used, last;
	static int64_t sum;
	uint64_t now_used = c->user_us + c->sys_us;

	sum += (int64_t)((c->up_ns - up) / 1000 * c->n) - (int64_t)(now_used - used);
	up = c->up_ns;
	used = now_used;
	if (sum > 0 && (uint64_t)sum > last)
		last = (uint64_t)sum;
	return last;
}

static void stat_line(struct buf *o, const struct view_cpu *c, uint64_t idle, unsigned div)
{
	const uint64_t tick = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);

	buf_printf(o, " %llu %llu %llu %llu 0 0 0 0 0 0\n", (unsigned long long)((c->user_us - c->nice_us) / tick / div),
		   (unsigned long long)(c->nice_us / tick / div), (unsigned long long)(c->sys_us / tick / div),
		   (unsigned long long)(idle / tick / div));
}

static int stat_text(struct buf *o)
{
	struct view_cpu c;
	struct view_load l;
	uint64_t idle;
	int r = view_cpu(&c);

	if (r < 0)
		return r;
	idle = idle_us(&c);
	view_load(&c, &l);
	buf_puts(o, "cpu ");
	stat_line(o, &c, idle, 1);
	for (unsigned i = 0; i < CPUS_MAX; i++) {
		if (!cpus_has(&c.cpus, i))
			continue;
		buf_printf(o, "cpu%u", i);
		stat_line(o, &c, idle, c.n);
	}
	buf_printf(o, "intr 0\nctxt 0\nbtime %lld\nprocesses 0\nprocs_running %u\nprocs_blocked %u\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		   (long long)c.boot_s, l.running ? l.running : 1, l.blocked);
	return 0;
}

static int loadavg(struct buf *o)
{
	struct view_cpu c;
	struct view_load l;
	int r = view_cpu(&c);

	if (r < 0)
		return r;
	view_load(&c, &l);
	for (int i = 0; i < 3; i++) {
		uint64_t v = l.avg[i] * 100 + (1 << (VIEW_LOAD_SHIFT - 1));

		v >>= VIEW_LOAD_SHIFT;
		buf_printf(o, "%llu.%02llu ", (unsigned long long)v / 100, (unsigned long long)v % 100);
	}
	buf_printf(o, "%u/%llu 0\n", l.running, (unsigned long long)view_tasks());
	return 0;
}

static int vmstat(struct buf *o)
{
	static const struct {
		const char *name;
		enum view_mem of;
	} pages[] = {
		{"nr_inactive_anon", VM_INACTIVE_ANON}, {"nr_active_anon", VM_ACTIVE_ANON}, {"nr_inactive_file", VM_INACTIVE_FILE},
		{"nr_active_file", VM_ACTIVE_FILE}, {"nr_unevictable", VM_UNEVICTABLE}, {"nr_slab_reclaimable", VM_RECLAIMABLE},
		{"nr_slab_unreclaimable", VM_UNRECLAIMABLE}, {"nr_anon_pages", VM_ANON}, {"nr_mapped", VM_MAPPED}, {"nr_file_pages", VM_FILE},
		{"nr_dirty", VM_DIRTY}, {"nr_writeback", VM_WRITEBACK}, {"nr_shmem", VM_SHMEM}, {"nr_page_table_pages", VM_PAGETABLES},
	};
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct view_memory m;
	char t[4096];
	uint64_t io[4] = {0};
	int r = view_memory(&m);

	if (r < 0)
		return r;
	if (view_v2("io.stat", t, sizeof t) >= 0) {
		_buf_ struct buf devices = BUF_INIT;
		struct cg_stacked stacked;

		(void)file_read(AT_FDCWD, "/proc/devices", 65536, &devices, NULL);
		cg_text_stacked(buf_str(&devices), &stacked);
		cg_text_io(t, &stacked, io);
	}
	buf_printf(o, "nr_free_pages %llu\n", (unsigned long long)(m.total > m.used ? (m.total - m.used) / page : 0));
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		buf_printf(o, "%s %llu\n", pages[i].name, (unsigned long long)(m.of[pages[i].of] / page));
	buf_printf(o, "nr_kernel_stack %llu\n", (unsigned long long)m.of[VM_STACK] / 1024);
	buf_printf(o, "pgpgin %llu\npgpgout %llu\n", (unsigned long long)io[0] / 1024, (unsigned long long)io[1] / 1024);
	buf_printf(o, "pswpin %llu\npswpout %llu\npgfault %llu\npgmajfault %llu\n", (unsigned long long)m.of[VM_SWAPIN],
		   (unsigned long long)m.of[VM_SWAPOUT], (unsigned long long)m.of[VM_FAULTS], (unsigned long long)m.of[VM_MAJFAULTS]);
	return 0;
}

static int swaps(struct buf *o)
{
	struct view_memory m;
	int r = view_memory(&m);

	if (r < 0)
		return r;
	buf_puts(o, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	if (m.swap_total)
		buf_printf(o, "%-40svirtual\t\t%llu\t\t%llu\t\t0\n", "none", (unsigned long long)m.swap_total / 1024, (unsigned long long)m.swap_used / 1024);
	return 0;
}

/* "259:0 rbytes=1 wbytes=2 rios=3 wios=4 …" */
static void disk_line(struct buf *o, const char *l, size_t n)
{
	unsigned long long v[4] = {0};
	char line[512], path[64], name[64] = "";
	unsigned ma, mi;
	_buf_ struct buf t = BUF_INIT;
	const char *dev;

	if (n >= sizeof line)
		return;
	memcpy(line, l, n);
	line[n] = '\0';
	if (sscanf(line, "%u:%u rbytes=%llu wbytes=%llu rios=%llu wios=%llu", &ma, &mi, v, v + 1, v + 2, v + 3) != 6)
		return;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/uevent", ma, mi);
	if (file_read(AT_FDCWD, path, 4096, &t, NULL) < 0 || !(dev = strstr(buf_str(&t), "DEVNAME=")) || sscanf(dev + 8, "%63s", name) != 1)
		return;
	buf_printf(o, "%4u %7u %s %llu 0 %llu 0 %llu 0 %llu 0 0 0 0\n", ma, mi, name, v[2], v[0] / 512, v[3], v[1] / 512);
}

/* Where no controller of I/O counts for the zone there is no line: not the host's, and none that is made up. */
static int diskstats(struct buf *o)
{
	char t[8192];

	if (view_v2("io.stat", t, sizeof t) < 0)
		return 0;
	for (const char *l = t, *nl; (nl = strchr(l, '\n')); l = nl + 1)
		disk_line(o, l, (size_t)(nl - l));
	return 0;
}

static int online(struct buf *o)
{
	struct view_cpu c;
	char t[CPUS_TEXT];
	int r = view_cpu(&c);

	if (r == 0)
		buf_printf(o, "%s\n", cpus_text(&c.cpus, t));
	return r;
}

static int copy_v2(struct buf *o, const char *name)
{
	char t[512];
	ssize_t n = view_v2(name, t, sizeof t);

	if (n > 0)
		buf_add(o, t, (size_t)n);
	return n < 0 ? (int)n : 0;
}

int view_text(enum view_file f, struct buf *out)
{
	switch (f) {
	case VIEW_MEMINFO: return meminfo(out);
	case VIEW_CPUINFO: return cpuinfo(out);
	case VIEW_STAT: return stat_text(out);
	case VIEW_LOADAVG: return loadavg(out);
	case VIEW_VMSTAT: return vmstat(out);
	case VIEW_DISKSTATS: return diskstats(out);
	case VIEW_SWAPS: return swaps(out);
	case VIEW_ONLINE: return online(out);
	case VIEW_PSI_CPU: return copy_v2(out, "cpu.pressure");
	case VIEW_PSI_MEMORY: return copy_v2(out, "memory.pressure");
	case VIEW_PSI_IO: return copy_v2(out, "io.pressure");
	case VIEW_NUMBERS: return view_numbers(view_uuid(), out);
	default: return -ENOENT;
	}
}
