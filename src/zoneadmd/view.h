/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone sees of itself where the kernel would show it the host: a FUSE filesystem of its own, whose files lie over
 * those of its /proc and /sys. The keeper makes it (build_view.c) and holds its connection, FD_VIEW; the worker serves it
 * (part_view.c) from the zone's cgroups (view_src.c). docs/decisions/view.md.
 */
#ifndef CLOISTER_ZONEADMD_VIEW_H
#define CLOISTER_ZONEADMD_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "kern/cpulist.h"
#include "kern/fusedev.h"

enum view_file {
	VIEW_ROOT = 1, /* as FUSE has it */
	VIEW_MEMINFO, VIEW_CPUINFO, VIEW_STAT, VIEW_LOADAVG, VIEW_VMSTAT, VIEW_DISKSTATS, VIEW_SWAPS, VIEW_ONLINE,
	VIEW_PRESSURE, VIEW_PSI_CPU, VIEW_PSI_MEMORY, VIEW_PSI_IO,
	VIEW_NUMBERS,
	VIEW_END /* new ones before it: the kernel knows them by number for as long as a zone runs */
};

struct view_node {
	const char *name;
	enum view_file dir; /* the folder that it is in */
	bool folder, in_sys;
	const char *over; /* below proc or sys; NULL: inside a folder that is, or in /.zonecontrol */
};
extern const struct view_node view_nodes[VIEW_END];

/* All that is the same for ever: names and folders. 1 = the request is of another kind; uid: whose the files are. */
int view_names(int fd, const struct fusedev_ask *a, const void *request, size_t n, uint32_t uid);

/* view_src.c: what is known of the zone; worker's only. */
enum view_mem {
	VM_ANON, VM_FILE, VM_SHMEM, VM_MAPPED, VM_DIRTY, VM_WRITEBACK, VM_SWAPCACHED, VM_INACTIVE_ANON, VM_ACTIVE_ANON, VM_INACTIVE_FILE,
	VM_ACTIVE_FILE, VM_UNEVICTABLE, VM_RECLAIMABLE, VM_UNRECLAIMABLE, VM_STACK, VM_PAGETABLES, VM_PERCPU, VM_THP, VM_FAULTS, VM_MAJFAULTS,
	VM_SWAPIN, VM_SWAPOUT, VM_COUNT
};
struct view_memory {
	uint64_t total, used, swap_total, swap_used; /* bytes */
	uint64_t of[VM_COUNT];                       /* bytes; FAULTS and below: times; 0 where the kernel does not count it */
};
struct view_cpu {
	uint64_t up_ns, user_us, sys_us, nice_us;
	int64_t boot_s;
	struct cpus cpus; /* the processors it is shown */
	unsigned n;
};
/* What several parts need, and only the first call does. */
int view_src_start(const char *uuid);
void view_src_settings(const char *text);
int view_memory(struct view_memory *m);
int view_cpu(struct view_cpu *c);
uint64_t view_uptime(void); /* seconds */
/*
 * As many processors as cpu_cap is worth, 0 = no cap; and those of `all` that are shown then: not the same ones to every zone, as
 * programs that pin their threads to what they see would meet there (max: what the first said). Last the kernel's nr_cpu_ids; above CPUS_MAX = not known.
 */
unsigned view_cpus_max(void);
struct cpus view_cpus_shown(const struct cpus *all, unsigned max);
unsigned view_cpus_known(void);
/* Text of a file of the zone's v2 cgroup; how long, negative errno. */
ssize_t view_v2(const char *name, char *out, size_t size);
uint64_t view_tasks(void); /* threads of the zone */
uint32_t view_uid(void);   /* of the zone's root */
const char *view_uuid(void);

/* Of them, those that want a processor and those that wait for I/O, now. */
void view_busy(unsigned *running, unsigned *blocked);
/* view_tasks.c: the same by the threads of a v1 cgroup (-1 = none), or of a tree of v2 ones. */
void view_count(int v1, int v2, unsigned *running, unsigned *blocked);

/* view_load.c */
#define VIEW_LOAD_SHIFT 11 /* bits behind the point */
struct view_load {
	uint64_t avg[3]; /* over 1, 5, 15 minutes */
	unsigned running, blocked;
};
void view_load(const struct view_cpu *c, struct view_load *l);

/*
 * view_numbers.c: what /.zonecontrol/numbers says. Files are held open for the next time until `due` (CLOCK_MONOTONIC ns, 0 = there
 * are none), when they are to be forgotten.
 */
int view_numbers(const char *uuid, struct buf *out);
uint64_t view_numbers_due(void);
void view_numbers_forget(void);

/* view_text.c: the file's text as the kernel would write it. Negative errno: there is none. */
int view_text(enum view_file f, struct buf *out);

#endif
