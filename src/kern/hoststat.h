/* SPDX-License-Identifier: MPL-2.0 */
/* What the kernel counts for the whole host: what the zones' numbers are parts of. */
#ifndef CLOISTER_KERN_HOSTSTAT_H
#define CLOISTER_KERN_HOSTSTAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct host_stat {
	unsigned cpus;                                       /* online */
	uint64_t cpu_us, user_us, sys_us, idle_us;           /* in the kernel's ticks of 10 ms */
	uint64_t boot_s;                                     /* wall time */
	uint64_t mem_total, mem_free, mem_available, swap_total, swap_free; /* bytes */
	uint64_t lwps, running, load[3];                     /* threads; hundredths */
	uint64_t io[4];                                      /* bytes and operations, read and written, since boot */
	uint64_t pressure[24];                               /* as CGV_PSI_CPU and on; CGV_UNKNOWN without it */
};
int host_stat_read(struct host_stat *out, struct err *e);
/* Of all disks but loops, RAM and those made of others: out->io, CGV_UNKNOWN if it can't be had. */
void host_stat_io(struct host_stat *out);

/* The texts of /proc/stat, meminfo and loadavg; pure. hz: ticks a second. -EINVAL if it is none of that. */
int host_text_cpu(const char *t, uint64_t hz, struct host_stat *out);
int host_text_memory(const char *t, struct host_stat *out);
int host_text_load(const char *t, struct host_stat *out);
/* /proc/diskstats; whole: says whether a name is that of a disk, and not of a part or a set of them. */
void host_text_disks(const char *t, bool (*whole)(const char *name), uint64_t out[4]);

#endif
