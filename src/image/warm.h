/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Warm clones: an image keeps a few root datasets ready, because making one costs a commit of the pool's file system
 * (milliseconds) and renaming one next to nothing.
 *
 *	images/.warm/<uuid>/upper-<n>   for shared roots (image_upper())
 *	images/.warm/<uuid>/root-<n>    for private roots, snapshots of the image
 *
 * The folder is the record: whoever renames one away has it. They go with their image, and with a platform image that
 * is made again. Pools with full quotas have none: a dataset can't become a member of a group there once it has data.
 */
#ifndef CLOISTER_IMAGE_WARM_H
#define CLOISTER_IMAGE_WARM_H

#include "image/image.h"

#define WARM_KEEP 4

/* Renames a ready one to dst, as a member of the group. 1 = done, 0 = there was none, or negative errno. */
int warm_take(struct store *s, const struct image *i, bool private, const char *dst, uint64_t quota_id, struct err *e);
/* Makes them WARM_KEEP again. 0 also when another process is at it. The caller holds the image's lock (shared). */
int warm_refill(struct ctx *c, struct store *s, const struct image *i, bool private, struct err *e);
/* All of an image's. Its lock is held exclusively. */
int warm_drop(struct store *s, const char *uuid, struct err *e);

#endif
