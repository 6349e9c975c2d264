/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Images: read-only datasets with a manifest (v2). Outside bytes (archives, OCI layouts) are unpacked by
 * cloister-unpack, a separate program without rights beyond the destination, never in this process.
 */
#ifndef CLOISTER_IMAGE_IMAGE_H
#define CLOISTER_IMAGE_IMAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/ctx.h"
#include "state/state.h"
#include "store/store.h"

/* The built-in image that sparse zones without image_uuid are cloned from: /etc, /var, /root … skeleton. Always this uuid. */
#define IMAGE_PLATFORM "00000000-0000-0000-0000-00000000c101"

/* The image as an installed dataset. */
struct image {
	char uuid[37];
	char dataset[80];   /* "images/<uuid>"; its tree is below root/ */
	json_t *manifest;   /* owned */
};
#define IMAGE_INIT ((struct image){.manifest = NULL})
void image_done(struct image *i);

/* -ENOENT (not installed) or the image; type must suit the brand, else -EINVAL says which would. brand NULL = any. */
int image_get(struct ctx *c, struct state *st, const char *uuid, const char *brand, struct image *out, struct err *e);
/* Makes IMAGE_PLATFORM if it is not installed, or remakes it when the host's base files changed. */
int image_platform(struct ctx *c, struct state *st, struct store *s, struct err *e);
/*
 * The dataset of a shared root as dst, with its folders upper/ (in it the image's native folders, kern/overlay.h) and
 * work/: its inode numbers are none of the image's (upper.c says why that matters).
 */
int image_upper(struct store *s, const struct image *i, const char *dst, uint64_t quota_id, struct err *e);
/*
 * For docker:true VMs: entrypoint+cmd, env, user, workdir as kept from the image's OCI config:
 * {"argv":[…],"env":["A=b"…],"user":"0:0","cwd":"/"}; new reference; -ENOENT if the image has none.
 */
int image_oci_config(const struct image *i, json_t **out, struct err *e);

/*
 * An image's lock, taken before any VM's: shared while a VM is made from it, exclusive while it comes or goes.
 * Returns the descriptor that holds it; try: -EAGAIN instead of waiting.
 */
int image_lock(const struct ctx *c, const char *uuid, bool shared, bool try, struct err *e);
/* -EBUSY with the VMs and images that use it; -ENOENT. */
int image_delete(struct ctx *c, struct state *st, struct store *s, const char *uuid, struct err *e);
/* Clears images whose making or deleting was killed. Cheap when there are none. */
int image_recover(struct ctx *c, struct state *st, struct store *s, struct err *e);
/* Drops the platform images that newer ones took the place of. Only while no zone runs: one may stand on them. */
int image_drop_old(struct store *s, struct err *e);
/* Records the images that are on the pool and not in the database (after pool import). Returns how many. */
int image_adopt(struct ctx *c, struct state *st, struct store *s, struct err *e);

#endif
