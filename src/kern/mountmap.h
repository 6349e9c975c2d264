/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The mounts of a mount namespace as a table, to say where in the global zone a file of a zone is. The names in a zone's
 * are its own, so what comes out is a guess until somebody has looked at the file that is there.
 */
#ifndef CLOISTER_KERN_MOUNTMAP_H
#define CLOISTER_KERN_MOUNTMAP_H

#include <stddef.h>

struct mount_one {
	int id;
	unsigned major, minor;
	char *root, *point, *fstype; /* escapes undone; in the map's text */
};

struct mountmap {
	char *text; /* owned */
	struct mount_one *m; /* by id */
	size_t n;
};

/* The text of a /proc/PID/mountinfo; lines that are cut off or wrong are left out. Pure. */
void mountmap_parse(const char *text, size_t n, struct mountmap *out);
void mountmap_done(struct mountmap *m);
const struct mount_one *mountmap_find(const struct mountmap *m, int id); /* NULL */
/* What is left of path below the point of this mount, "" for itself; NULL if it is not below. */
const char *mountmap_below(const struct mount_one *m, const char *path);
/* Where `host` has what mount m (of another namespace) shows at rest; free() it. NULL = nowhere. */
char *mountmap_host(const struct mountmap *host, const struct mount_one *m, const char *rest);

#endif
