/* SPDX-License-Identifier: MPL-2.0 */
/* Processes that can't be mistaken for others: pid with start time, then pidfd. Libc only. */
#ifndef CLOISTER_KERN_PIDFD_H
#define CLOISTER_KERN_PIDFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Field 22 of /proc/pid/stat (clock ticks since boot), 0 if there is no such process. state gets its letter, may be NULL. */
uint64_t pid_start(pid_t pid, char *state);
/* pidfd of that very process: start is checked behind the open. -ESRCH when it is gone (a zombie counts as gone). */
int pidfd_of(pid_t pid, uint64_t start, struct err *e);
int pidfd_kill(int pidfd, int sig);
/* Readable = it has ended. 0, -ETIME, -EINTR is retried. ms < 0 = without end. */
int pidfd_wait(int pidfd, int ms);
/*
 * Wait status (as waitpid's) of an ended process that need not be our child, as soon as its parent has reaped it
 * (waits 5 s for that); -ENOTSUP below Linux 6.15, -ESRCH.
 */
int pidfd_exit_status(int pidfd, int *status);

/* clone3 without a stack of its own: like fork, returns 0 in the child. cgroup < 0 = the parent's. */
pid_t pidfd_clone(uint64_t flags, int cgroup, int *pidfd);

#endif
