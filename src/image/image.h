/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Images: read-only datasets with a manifest (v2). Outside bytes (archives, OCI layouts) are unpacked by
 * cloister-unpack, a separate program without rights beyond the destination, never in this process.
 */
#ifndef CLOISTER_IMAGE_IMAGE_H
#define CLOISTER_IMAGE_IMAGE_H

#include <jansson.h>

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
void image_done(struct image *i);

/* -ENOENT (not installed) or the image; type must suit the brand, else -EINVAL says which would. brand NULL = any. */
int image_get(struct ctx *c, struct state *st, const char *uuid, const char *brand, struct image *out, struct err *e);
/* Makes IMAGE_PLATFORM if it is not installed, or remakes it when the host's base files changed. */
int image_platform(struct ctx *c, struct state *st, struct store *s, struct err *e);
/*
 * For docker:true VMs: entrypoint+cmd, env, user, workdir as kept from the image's OCI config:
 * {"argv":[…],"env":["A=b"…],"user":"0:0","cwd":"/"}; new reference; -ENOENT if the image has none.
 */
int image_oci_config(const struct image *i, json_t **out, struct err *e);

#endif
