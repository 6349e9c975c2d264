/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the kernel's log says of processes that it killed for memory. A process's name is the zone's own text: it may hold
 * anything but a NUL, and the kernel escapes what is not printable ASCII as \xNN.
 */
#ifndef CLOISTER_KERN_KMSG_H
#define CLOISTER_KERN_KMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct oom_kill {
	pid_t pid; /* the host's */
	uint32_t uid;
	char name[72];  /* at most 15 bytes, each of up to four letters */
	uint64_t bytes; /* of its memory: anonymous, files, shared */
	bool host;      /* the host was out of memory, and not a cgroup at its limit */
};

/* One record of /dev/kmsg, "6,1234,5678,-;text": 1 if it is the kernel's own report of such a kill, else 0. Pure. */
int kmsg_oom(const char *record, size_t n, struct oom_kill *out);
/* The last max of those whose uid is in [uid, uid + uids), oldest first; returns how many, or a negative errno. */
int kmsg_oom_last(uint32_t uid, uint32_t uids, struct oom_kill *out, size_t max);

#endif
