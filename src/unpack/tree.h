/* SPDX-License-Identifier: MPL-2.0 */
/* The tree that is being made: everything by openat2(2) below its root. */
#ifndef CLOISTER_UNPACK_TREE_H
#define CLOISTER_UNPACK_TREE_H

#include "unpack/unpack.h"

/* openat2 with the given RESOLVE flags and no magic links, no crossing of mounts. -1 and errno. */
int tree_openat(int dir, const char *path, uint64_t flags, mode_t mode, uint64_t resolve);
/* Descriptor of the folder that holds `path` (owned by u until the next call), made if missing; *name is its last part. */
int tree_parent(struct unpack *u, const char *path, const char **name);
void tree_forget(struct unpack *u); /* after a folder was removed */
/* Makes room for a new entry; a folder stays if keep_dir. Returns true if such a folder is there. */
bool tree_clear(struct unpack *u, int dir, const char *name, const char *path, bool keep_dir);
/* Removes what lower layers left at dir/name (name NULL: everything in dir); what this layer made stays. */
void tree_whiteout(struct unpack *u, int dir, const char *name);
/* Notes that this layer made dir/name ("": dir itself). */
void tree_made(struct unpack *u, int dir, const char *name);
void tree_late(struct unpack *u, const char *path, struct timespec mtime);
void tree_finish(struct unpack *u);

#endif
