/* SPDX-License-Identifier: MPL-2.0 */
/* Rows of kstat.c, which includes this alone: a list for each kstat, in the order of its names. */
#define V(name, value, needs) {name, VALUE, value, 1, 1, needs}
#define P(name, base, needs_)                                                                                     \
	{name "_full_avg10", PSI, base + 4, 1, 1, needs_}, {name "_full_avg300", PSI, base + 6, 1, 1, needs_},           \
	{name "_full_avg60", PSI, base + 5, 1, 1, needs_}, {name "_full_usec", VALUE, base + 7, 1, 1, needs_},     \
	{name "_some_avg10", PSI, base, 1, 1, needs_}, {name "_some_avg300", PSI, base + 2, 1, 1, needs_},         \
	{name "_some_avg60", PSI, base + 1, 1, 1, needs_}, {name "_some_usec", VALUE, base + 3, 1, 1, needs_}

/* Each list in the order of its names. */
static const struct stat cpucaps[] = {
	{"above_sec", ABOVE, 0, 1, 1, CGS_CPU | CGS_THROTTLE | STAT_BURST},
	{"baseline", BASELINE, 0, 1, 1, STAT_BURST},
	{"below_sec", BELOW, 0, 1, 1, CGS_CPU | CGS_THROTTLE | STAT_BURST},
	{"burst_limit_sec", BURST_LIMIT, 0, 1, 1, STAT_BURST},
	{"bursting_sec", BURSTING, 0, 1, 1, STAT_BURST},
	{"effective", CPU_EFFECTIVE, 0, 1, 1, CGS_CPU | STAT_BURST},
	{"nwait", NWAIT, 0, 1, 1, CGS_CPU | CGS_THROTTLE},
	{"usage", CPU_USAGE, 0, 1, 1, CGS_CPU},
	{"value", CPU_CAP, 0, 1, 1, CGS_CPU | STAT_BURST},
	{"zonename", ZONENAME, 0, 1, 1, 0},
};
/* Of the zone's bursts; k as in zone/ioburst.h. */
#define B(name, k)                                                                                                                 \
	{name "_baseline", IO_BASE, k, 1, 1, STAT_BURST}, {name "_bursting_sec", IO_SPENT, k, 1, 1, STAT_BURST},            \
	{name "_effective", IO_NOW, k, 1, 1, STAT_BURST}, {name "_value", IO_MAX, k, 1, 1, STAT_BURST}
static const struct stat iobursts[] = {
	{"burst_limit_sec", IO_LIMIT, 0, 1, 1, STAT_BURST}, B("read_bps", 0), B("read_iops", 2), B("write_bps", 1), B("write_iops", 3),
	{"zonename", ZONENAME, 0, 1, 1, 0},
};
static const struct stat lwps[] = {V("usage", CGV_LWPS, CGS_LWPS), V("value", CGV_LWPS_CAP, CGS_LWPS), {"zonename", ZONENAME, 0, 1, 1, 0}};
static const struct stat physmem[] = {V("usage", CGV_MEM, CGS_MEMORY), V("value", CGV_MEM_CAP, CGS_MEMORY), {"zonename", ZONENAME, 0, 1, 1, 0}};
static const struct stat swapresv[] = {V("usage", CGV_BOTH, CGS_MEMORY), V("value", CGV_BOTH_CAP, CGS_MEMORY),
				       {"zonename", ZONENAME, 0, 1, 1, 0}};
static const struct stat memory_cap[] = {
	V("anon", CGV_ANON, CGS_MEMSTAT), V("file", CGV_FILE, CGS_MEMSTAT), V("majfault", CGV_MAJFAULTS, CGS_MEMSTAT),
	V("nover", CGV_MEM_OVER, CGS_EVENTS), V("oom_kill", CGV_OOM, CGS_EVENTS), V("pagedout", CGV_PAGEDOUT, CGS_MEMSTAT),
	V("pgfault", CGV_FAULTS, CGS_MEMSTAT), V("physcap", CGV_MEM_CAP, CGS_MEMORY), V("rss", CGV_MEM, CGS_MEMORY),
	V("swap", CGV_BOTH, CGS_MEMORY), V("swapcap", CGV_BOTH_CAP, CGS_MEMORY), {"zonename", ZONENAME, 0, 1, 1, 0},
};
static const struct stat zones[] = {
	{"boot_time", BOOTED, 0, 1, 1, 0},
	{"cpu_shares", VALUE, CGV_CPU_SHARES, 1, 1, CGS_CPU},
	{"forkfail_cap", VALUE, CGV_LWPS_OVER, 1, 1, CGS_EVENTS},
	{"init_pid", INIT, 0, 1, 1, 0},
	{"nsec_sys", VALUE, CGV_CPU_SYS, 1000, 1, CGS_CPU},
	{"nsec_user", VALUE, CGV_CPU_USER, 1000, 1, CGS_CPU},
	{"zonename", ZONENAME, 0, 1, 1, 0},
};
static const struct stat zone_zfs[] = {
	V("nread", CGV_READ, CGS_IO), V("nwritten", CGV_WRITTEN, CGS_IO), V("reads", CGV_READS, CGS_IO), V("writes", CGV_WRITES, CGS_IO),
	{"zonename", ZONENAME, 0, 1, 1, 0},
};
static const struct stat zone_pressure[] = {
	P("cpu", CGV_PSI_CPU, CGS_PRESSURE), P("io", CGV_PSI_IO, CGS_PRESSURE), P("memory", CGV_PSI_MEM, CGS_PRESSURE),
	{"zonename", ZONENAME, 0, 1, 1, 0},
};
#define G(name, k) {name, GUEST, k, 1, 1, STAT_GUEST}
static const struct stat guest_mem[] = {
	G("actual", GM_ACTUAL), G("available", GM_AVAILABLE), G("caches", GM_CACHES), G("free", GM_FREE), G("majfault", GM_MAJFAULT),
	G("minfault", GM_MINFAULT), G("swapin", GM_SWAPIN), G("swapout", GM_SWAPOUT), G("total", GM_TOTAL), {"zonename", ZONENAME, 0, 1, 1, STAT_GUEST},
};
static const struct stat system_misc[] = {
	{"avenrun_15min", LOAD, 2, 1, 1, 0}, {"avenrun_1min", LOAD, 0, 1, 1, 0}, {"avenrun_5min", LOAD, 1, 1, 1, 0},
	{"boot_time", BOOT_TIME, 0, 1, 1, 0}, {"ncpus", CPUS, 0, 1, 1, 0}, {"nlwp", LWPS, 0, 1, 1, 0},
};
static const struct stat system_pages[] = {
	{"availmem_bytes", AVAIL, 0, 1, 1, 0}, {"freemem_bytes", FREEMEM, 0, 1, 1, 0}, {"physmem_bytes", PHYSMEM, 0, 1, 1, 0},
	{"swap_free_bytes", SWAPFREE, 0, 1, 1, 0}, {"swap_total_bytes", SWAPTOTAL, 0, 1, 1, 0},
};
