/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The time slice that a program asks of the scheduler (EEVDF, Linux 6.12): who asks for a shorter one gets no more processor
 * time, but gets it sooner when it wakes up, before one who has asked for a longer. Children and execs keep it.
 */
#ifndef CLOISTER_KERN_SLICE_H
#define CLOISTER_KERN_SLICE_H

#include <stdint.h>
#include <sys/types.h>

/* What a zone of that many cpu_shares asks for, in ns: docs/decisions/slice.md. 0 = what the kernel gives everyone. Pure. */
uint64_t slice_of_shares(uint64_t shares);

/*
 * Thread tid (0 = the caller) asks for ns, or for nothing again (0); its policy and nice value stay. One that is not
 * scheduled by shares is left alone. 0; -EOPNOTSUPP: this kernel has no such slices (read back); else -errno.
 */
int slice_set(pid_t tid, uint64_t ns);

/* All threads of a process. 0 also if it is gone; else the first error of one. */
int slice_set_all(pid_t pid, uint64_t ns);

#endif
