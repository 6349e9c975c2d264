/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the kernel counts for each zone, read often and cheaply.
 *
 * Opening a file of a cgroup costs seven times as much as reading it. A reader therefore keeps the files of a zone open
 * for as long as its room lasts, reads each with one pread, and parses without a copy. Beyond that room it opens them
 * each time, below one descriptor for each hierarchy.
 *
 * Of ten files half are limits, which nobody changes for days. They are read when the generation that the caller gives is
 * another than last time, and every sixteenth time, in case somebody has written to the cgroup without telling. The quota of
 * processor time is read each time.
 */
#ifndef CLOISTER_KERN_CGROUP_STAT_H
#define CLOISTER_KERN_CGROUP_STAT_H

#include <stddef.h>
#include <stdint.h>

#include "kern/cgroup.h"

#define CGV_UNKNOWN UINT64_MAX       /* this kernel does not count it for a zone */
#define CGV_NONE    (UINT64_MAX - 1) /* no limit */

/* Times in microseconds, sizes in bytes, averages of pressure in hundredths of a percent. */
enum cg_value {
	CGV_CPU, CGV_CPU_USER, CGV_CPU_SYS,
	CGV_CPU_SHARES, CGV_CPU_QUOTA, CGV_CPU_PERIOD,
	CGV_PERIODS, CGV_THROTTLED, CGV_THROTTLED_US, /* periods of the cap, those that hit it, time waited for it */
	CGV_MEM, CGV_MEM_CAP, CGV_MEM_OVER,           /* OVER: times the cap was hit */
	CGV_BOTH, CGV_BOTH_CAP, CGV_SWAP,             /* BOTH: memory and swap together */
	CGV_OOM,                                      /* processes killed for memory */
	CGV_ANON, CGV_FILE, CGV_FAULTS, CGV_MAJFAULTS, CGV_PAGEDOUT, /* PAGEDOUT: to swap */
	CGV_REFAULTS,                                 /* pages of files read again soon after they were taken out */
	CGV_LWPS, CGV_LWPS_CAP, CGV_LWPS_OVER,
	CGV_READ, CGV_WRITTEN, CGV_READS, CGV_WRITES,
	CGV_PSI_CPU,                    /* for each of cpu, memory, io: some avg10, avg60, avg300, total; full the same */
	CGV_PSI_MEM = CGV_PSI_CPU + 8,
	CGV_PSI_IO = CGV_PSI_MEM + 8,
	CGV_COUNT = CGV_PSI_IO + 8
};

/* What a reader is to read: each costs its files. */
enum {
	CGS_CPU = 1,      /* use, shares, cap */
	CGS_MEMORY = 2,   /* use, cap, swap, times over */
	CGS_LWPS = 4,
	CGS_IO = 8,       /* where the io controller is on v2, else unknown */
	CGS_PRESSURE = 16,
	CGS_THROTTLE = 32,
	CGS_MEMSTAT = 64, /* what the memory is; the dearest */
	CGS_EVENTS = 128, /* kills, refused forks */
	CGS_ALL = 255
};

struct cg_reader;
struct cg_files; /* the open files of one zone */

/* room: how many descriptors it may hold. */
int cg_reader_new(const struct cg_host *h, unsigned groups, unsigned room, struct cg_reader **out, struct err *e);
/* Before a round of reads. Limits that were set since the last one are seen by it only under another number. */
void cg_reader_limits(struct cg_reader *r, uint64_t generation);
void cg_reader_free(struct cg_reader **r); /* after the files of all zones; NULL is fine */
/*
 * Fills v. *f is NULL at first and the caller's to free with cg_files_free(). -ENOENT: no such zone, or no more; a zone
 * that was booted again is found again.
 */
int cg_reader_read(struct cg_reader *r, const char *uuid, struct cg_files **f, uint64_t v[CGV_COUNT]);
void cg_files_free(struct cg_reader *r, struct cg_files **f);

/* ---- the texts; pure ---- */
/* A number and the end of the line; "max", "-1" and v1's "no limit" as CGV_NONE. */
uint64_t cg_text_number(const char *t);
/* The number behind "key " in lines of such; CGV_UNKNOWN. */
uint64_t cg_text_keyed(const char *t, const char *key);
/* All of them in one pass: out[i] for key[i], 0 where there is no such line; an empty key is never there. */
void cg_text_lines(const char *t, const char *const *key, size_t n, uint64_t *out);
/* "some avg10=0.12 avg60=… avg300=… total=…", "full …": eight values. */
void cg_text_pressure(const char *t, uint64_t out[8]);
/* Majors of block devices below which there are others, or memory: their I/O is counted there once more, or is none. */
struct cg_stacked {
	uint64_t bits[8];
};
/* /proc/devices: loops, RAM, zram, md, device-mapper and bcache; of an empty text the first two. */
void cg_text_stacked(const char *t, struct cg_stacked *out);
/* io.stat: bytes and operations, read and written, over all other devices. */
void cg_text_io(const char *t, const struct cg_stacked *stacked, uint64_t out[4]);

#endif
