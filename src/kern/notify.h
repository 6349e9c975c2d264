/* SPDX-License-Identifier: MPL-2.0 */
/*
 * System calls of a zone that are answered by a process of ours (seccomp user notification): sched_getaffinity(2) and
 * sysinfo(2), which would tell of the host. Ten instructions before the table of all calls (seccomp.h), which stays as it is:
 * a filter of their own would cost each process that takes it on 45 us more.
 *
 *	zone's process ── sysinfo ──▶ stands still ──▶ listener: notify_recv ── notify_answer ──▶ goes on
 */
#ifndef CLOISTER_KERN_NOTIFY_H
#define CLOISTER_KERN_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NOTIFY_PAGE 4096 /* room for what the kernel tells of a call */

/*
 * Takes them on with the table's program behind them (NULL, 0: every other call is allowed), for this process and all that it
 * becomes. The listener (close-on-exec), or negative errno: -EINVAL
 * or -ENOSYS, the kernel is too old for it (5.19: once received, a call waits for its answer in spite of signals); -EBUSY,
 * this process has a filter with a listener already, somebody else's. On failure nothing is changed.
 */
int notify_install(const void *table, size_t bytes);

/* Next call into page (zeros, NOTIFY_PAGE bytes). -ENOENT: its caller was killed meanwhile. */
int notify_recv(int listener, void *page);
/* Whether that call still waits: while it does, its caller's pid is its caller's. */
bool notify_valid(int listener, uint64_t id);
/* It returns value, or fails with error (positive). -ENOENT: its caller has gone; -EINPROGRESS: that was said before. */
int notify_answer(int listener, uint64_t id, int64_t value, int error);
/* It is made after all, by the kernel. */
int notify_continue(int listener, uint64_t id);

/* ---- what was asked, and the answer's bytes; pure ---- */

enum notify_what { NOTIFY_OTHER, NOTIFY_AFFINITY, NOTIFY_SYSINFO };
struct notify_ask {
	enum notify_what what;
	bool narrow;   /* a 32-bit program */
	pid_t caller;  /* thread, as this process numbers it */
	pid_t pid;     /* of AFFINITY: as the caller numbers it, 0 = itself */
	uint32_t len;  /* of AFFINITY: room at addr */
	uint64_t addr;
};
void notify_parse(const struct seccomp_notif *n, struct notify_ask *a);

/* Whether the kernel takes len for a mask of that many processors (nr_cpu_ids); what it refuses with EINVAL is false. */
bool notify_mask_fits(const struct notify_ask *a, unsigned nr_cpus);

#define NOTIFY_SYSINFO_MAX 112
struct notify_numbers {
	uint64_t up_s;
	uint64_t load[3]; /* 16 bits behind the point */
	uint64_t total, free, shared, buffers, swap, swap_free; /* bytes */
	uint64_t procs;
};
/* struct sysinfo as the kernel lays it out for such a caller; its length. */
size_t notify_sysinfo(const struct notify_numbers *n, bool narrow, uint8_t out[NOTIFY_SYSINFO_MAX]);

#endif
