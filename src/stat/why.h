/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Why is this zone slow? From what the kernel counted in a window of some seconds, what holds the zone back, the worst
 * first. Pure: who gathers is the caller (cmd/why_facts.c).
 *
 * A weight is about the percent of the window that was lost to it. What fails outright (a full disk, refused forks) weighs
 * more than what only waits.
 */
#ifndef CLOISTER_STAT_WHY_H
#define CLOISTER_STAT_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/cgroup_stat.h"

#define WHY_MAX    16
#define WHY_OTHERS 3

struct why_use {
	const char *name; /* the caller's */
	uint64_t v;
};

struct why_facts {
	double seconds;
	uint64_t then[CGV_COUNT], now[CGV_COUNT];
	unsigned cpus;
	uint64_t used, host_used, share;  /* thousandths of a processor; share: what its cpu_shares are worth among all busy */
	struct why_use cpu[WHY_OTHERS];   /* who else used them, most first; v 0 = nobody */
	struct why_use io[WHY_OTHERS];    /* bytes a second; v 0 = nobody, or not counted */
	bool frozen;
	unsigned procs, stopped, blocked; /* blocked: in an uninterruptible wait all the while */
	char blocked_name[260];           /* one of them, safe to show */
	unsigned restarts;                /* of init, in the last ten minutes */
	unsigned ooms, host_ooms;         /* likewise; those for which the host was out of memory */
	double oom_ago;                   /* seconds since the last */
	uint64_t quota, quota_used;       /* bytes; 0 = none or not known */
	uint64_t disks, disks_used;       /* of a machine: how large its own are together, and what lies in their files now */
	uint64_t pool, pool_used;
	/* Its ceilings on the pool's devices, what it used in the window (as enum CG_IO_*), and which of them is the rest of a burst. */
	uint64_t io_limit[4], io_used[4];
	bool io_spent[4];
	char tmpfs[100];                  /* one that is full, safe to show; "" */
	uint64_t tmpfs_size;
	int fd_pid;                       /* a process that has all descriptors it may; 0 */
	uint64_t fd_limit;
	char fd_name[260];
	char disk[64];                    /* the busiest of the host's, and percent of the window */
	unsigned disk_busy;
};

struct why {
	const char *cause; /* "cpu_cap", "memory", … */
	unsigned weight;
	char text[400];
};

/* How many; 0: nothing that the host can see. */
size_t why_find(const struct why_facts *f, struct why out[WHY_MAX]);
/* Percent of the window in which some thread waited: CGV_PSI_CPU, _MEM, _IO; 0 where it is not counted. */
unsigned why_waited(const struct why_facts *f, enum cg_value psi);
/* Since when, by the averages: "for five minutes or more", "for about a minute", "for some seconds". */
const char *why_since(const struct why_facts *f, enum cg_value psi);

#endif
