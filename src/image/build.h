/* SPDX-License-Identifier: MPL-2.0 */
/* Making an image, whatever its bytes come from: a dataset under .tmp becomes images/<uuid> in one rename. */
#ifndef CLOISTER_IMAGE_BUILD_H
#define CLOISTER_IMAGE_BUILD_H

#include "image/image.h"

struct build {
	json_t *manifest; /* borrowed; fill may add to it, but not change the uuid */
	/* Fills <dataset>/root, an empty folder. ds: descriptor of the dataset's top; tmp: its name in the store. */
	int (*fill)(struct ctx *c, struct build *b, int ds, struct err *e);
	void *arg;
	const char *snapshot_of; /* begin with a snapshot of this dataset, which holds root/; NULL = empty */
	bool replace; /* an image of this uuid may be there: it is moved to images/.old-<n>, for running zones */

	struct state *st;
	struct store *s;
	int lock; /* the image's, held by the caller; 0 = image_build() takes it */
	char uuid[37], tmp[STORE_TMP_NAME], final[64];
};
/* Makes it and records it under the image's lock. -EEXIST if it is installed. On failure nothing is left. */
int image_build(struct ctx *c, struct build *b, struct err *e);

/* upper.c: the template of uppers beside images/<uuid>. replace: that image has just been made again. */
int upper_template(struct store *s, const char *uuid, bool replace, struct err *e);
int upper_drop(struct store *s, const char *uuid, struct err *e);

#endif
