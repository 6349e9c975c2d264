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
/*
 * The record that the kernel has before it, unless there are many: "oom-kill:constraint=…,oom_memcg=/…,pid=1,uid=0". 1 with the
 * pid and the first uuid in the cgroup's path, "" if there is none; else 0. What zones call their own cgroups stands behind that. Pure.
 */
int kmsg_oom_where(const char *record, size_t n, pid_t *pid, char uuid[37]);
/*
 * The last max of those whose uid is in [uid, uid + uids), and that were not in another zone's cgroup (a range of uids may have been
 * another's before), oldest first; returns how many, or a negative errno.
 */
int kmsg_oom_last(const char *uuid, uint32_t uid, uint32_t uids, struct oom_kill *out, size_t max);

#endif
