/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Paths inside a zone are hostile: they are resolved below a root descriptor by openat2(2), with no magic links, and
 * never leave it. Nothing in the global zone may open such a path any other way.
 */
#ifndef CLOISTER_KERN_PATH_H
#define CLOISTER_KERN_PATH_H

#include <sys/types.h>

#include "base/err.h"

/* Descriptor of `path` with root `rootfd` (RESOLVE_IN_ROOT: an absolute link means the zone's root). flags as open(2). */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *e);
/* The same, but any symbolic link on the way is -ELOOP. */
int path_open_nolink(int rootfd, const char *path, int flags, mode_t mode, struct err *e);
/* mkdir -p below rootfd, owner uid:gid for new folders; returns an O_PATH descriptor of the last. */
int path_mkdirs_in(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *e);

#endif
