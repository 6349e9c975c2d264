/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The small files in /run/cloister/<uuid>: written by the keeper, read by everyone. Lines "name value value…";
 * each file is replaced in one rename, never changed. Pure text; libc only.
 */
#ifndef CLOISTER_ZONE_RUN_H
#define CLOISTER_ZONE_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "zone/zone.h"

/* `zone`: what runs. ino: the pidfs inode, which no other process of this boot ever has; 0 where the kernel has none. */
struct run_proc {
	pid_t pid;
	uint64_t start, ino;
};
struct run_zone {
	char bootid[40];
	uint64_t zoneid, boot_ns;
	struct run_proc keeper, init;
};
void run_zone_write(const struct run_zone *z, const char *cgroup, struct buf *out);
int run_zone_parse(const char *text, struct run_zone *z);

/* `worker`: "PID START". `ended`: "reason STATUS NS". */
struct run_ended {
	enum zone_end reason;
	int status;
	uint64_t ns;
};
void run_ended_write(const struct run_ended *d, struct buf *out);
int run_ended_parse(const char *text, struct run_ended *d);

/* Whether a message of sd_notify(3), which is the zone's and may be anything, has the line READY=1. */
bool run_says_ready(const char *text, size_t n);

/* Fills start and ino for a living process; 0 or -ESRCH. */
int run_proc_of(pid_t pid, struct run_proc *p);
/* 1 if that very process lives, 0 if not (a zombie does not). */
int run_proc_alive(const struct run_proc *p);

#endif
