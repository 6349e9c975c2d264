/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Mounts as descriptors: made detached, given their flags and id map while nobody can see them, attached last.
 * All of it is the mount API of Linux 5.2 to 5.12. Libc only.
 */
#ifndef CLOISTER_KERN_MOUNT_H
#define CLOISTER_KERN_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>

#include "base/err.h"

/* A detached copy of the mount at path below dirfd ("" = dirfd itself); not recursive. Returns the descriptor. */
int mnt_clone(int dirfd, const char *path, struct err *e);
/*
 * A new, detached filesystem. opts: "size=1m,mode=755", each as fsconfig(2) takes it; NULL = none. attrs: MOUNT_ATTR_*.
 * What the filesystem itself says about a failure is in the message.
 */
int mnt_new(const char *type, const char *source, const char *opts, bool ro, uint64_t attrs, struct err *e);
/* Sets and clears MOUNT_ATTR_*; userns >= 0 also maps ids by that user namespace (detached mounts only). */
int mnt_attr(int mnt, uint64_t set, uint64_t clr, int userns, struct err *e);
/* Attaches mnt on the file or directory `on`, itself a descriptor. */
int mnt_attach(int mnt, int on, struct err *e);
/* The same, on a name below dirfd that is known not to be hostile. */
int mnt_attach_at(int mnt, int dirfd, const char *name, struct err *e);
/*
 * Of a copy: out of the peer group of what it was made of. Without this, what is mounted on it, in a zone too, is mounted on the original as well: a
 * copy that goes into a zone past its build (zoneadmd/build.c) needs it.
 */
int mnt_private(int mnt, struct err *e);
/* MS_PRIVATE, MS_SHARED, MS_SLAVE for the whole tree at path. */
int mnt_propagation(const char *path, unsigned long how, struct err *e);
/* The mount id that mountinfo shows first, for a descriptor; negative errno. */
int mnt_id(int fd);
/* One that no other mount of this boot ever has (Linux 6.8), 0 where the kernel has none. */
uint64_t mnt_unique(int fd);
uint64_t mnt_unique_at(const char *path);

#endif
