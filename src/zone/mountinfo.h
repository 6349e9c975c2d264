/* SPDX-License-Identifier: MPL-2.0 */
/* /proc/pid/mountinfo as text. The names in it are a zone's own, so it is hostile. Pure; libc only. */
#ifndef CLOISTER_ZONE_MOUNTINFO_H
#define CLOISTER_ZONE_MOUNTINFO_H

#include <stddef.h>

/* Where the mount with that id is; -ENOENT, -EINVAL for a line that is cut off. */
int mountinfo_point(const char *info, int id, char *out, size_t size);
/* How many mounts in info show the same tree of the same file system as mount id of other does. */
unsigned mountinfo_tree(const char *info, const char *other, int id);

#endif
