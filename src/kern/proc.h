/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What /proc says of a process. Its name is its own to choose and may hold anything, also line ends and brackets; the
 * numbers are the kernel's.
 */
#ifndef CLOISTER_KERN_PROC_H
#define CLOISTER_KERN_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[64];
	size_t comm_len;
	char state;
	pid_t ppid, pgrp, session;
	int tty, priority, nice;
	uint64_t user, sys, start; /* ticks; start: since boot */
	uint64_t threads, vsize, rss; /* bytes; pages */
	uint64_t io_wait; /* ticks that it waited for disks, 0 unless the kernel accounts delays */
};

/* What /proc/PID/status says beyond it. */
struct proc_ids {
	uint32_t uid, gid; /* effective */
	pid_t zone_pid; /* in the pid namespace below ours, 0 = it is in none */
};

/* The texts; pure. -EINVAL if they are none of that. */
int proc_text_stat(const char *t, size_t n, struct proc_stat *out);
int proc_text_status(const char *t, size_t n, struct proc_ids *out);

/* Of schedstat: nanoseconds. -ENODATA: the kernel does not count them (CONFIG_SCHED_INFO, or `delayacct` on its command line). */
int proc_text_schedstat(const char *t, size_t n, uint64_t *ran, uint64_t *waited);

/* /proc/PID, for openat(2): what is opened in it is that process's, or fails. -ESRCH. */
int proc_open(pid_t pid);
/* Reads at most room bytes of a file below; how many, or -errno. */
ssize_t proc_read(int dir, const char *name, char *out, size_t room);
/* How long a process, or a thread by its folder of tasks, ran, and how long it was ready and did not. -ENODATA as above; -errno. */
int proc_waits(int dir, uint64_t *ran, uint64_t *waited);

#endif
