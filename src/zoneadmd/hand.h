/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The worker's hand: a child of it that writes into the memory of the zone's processes. Two reasons why not the worker:
 *
 *   - Writing there may take as long as the zone likes: the page may lie on a slow disk, in a full cgroup, or in a file of the
 *     zone's view, which the worker itself would have to serve.
 *   - The worker may write into any process of the host, and a pid may have become another's since it was learned. The hand
 *     is the zone's first id and has no capability: the owner of the zone's user namespace may trace what is in it, no more.
 *     Within the zone too nobody shall be written to in another's place (whoever runs as a user there would choose the address):
 *     so a job is good for a few milliseconds from when it was seen that its caller still waits. In that time nobody comes
 *     round through all numbers.
 *
 * It shares the worker's memory, and nothing else: no descriptor, no rights; it costs the kernel a task. Started by the
 * first job, ended when there was none for a while.
 */
#ifndef CLOISTER_ZONEADMD_HAND_H
#define CLOISTER_ZONEADMD_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HAND_BYTES 1024
#define HAND_NS    5000000

struct hand_job {
	pid_t pid;
	uint64_t seen_ns; /* CLOCK_MONOTONIC, of no later than when pid was the caller's */
	uint64_t addr;
	size_t len;
	long done;        /* bytes written (fewer: the rest can't be), or negative errno; -ETIME: too long ago, and nothing was */
	uint64_t used_ns; /* of a processor, since the job before */
	char bytes[HAND_BYTES];
};

/* The one job that there is: filled in by the caller, and left alone until it is done. */
extern struct hand_job hand_job;

/* There is one, of the user `owner`; negative errno: there is not. Then the job may be given to it. */
int hand_start(uid_t owner);
pid_t hand_pid(void);
void hand_give(void);
/* Readable when the job is done (then hand_taken()), and when the hand is dead (then hand_reap()); -1 = there is none. */
int hand_done_fd(void);
int hand_dead_fd(void);
void hand_taken(void);
void hand_reap(void);
/* To be reaped when it is dead, which may take a while. */
void hand_kill(void);

#endif
