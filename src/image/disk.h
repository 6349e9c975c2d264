/* SPDX-License-Identifier: MPL-2.0 */
/* Images that are a machine's disk (type zvol): one raw file, in whole MiB, with holes where it is empty. */
#ifndef CLOISTER_IMAGE_DISK_H
#define CLOISTER_IMAGE_DISK_H

#include "image/build.h"

#define DISK_NAME "disk"

/*
 * From in, a file, block device or pipe, to root/disk of the image's dataset (descriptor ds); the manifest gets image_size
 * (MiB) and, where they are missing, disk_driver and nic_driver. A format that is not raw is refused by name. max_bytes: 0 = any.
 */
int disk_fill(struct ctx *c, int in, const char *what, int ds, uint64_t max_bytes, json_t *manifest, struct err *e);
/* The blocks of an installed image's disk as those of the file to, shared with it. */
int disk_clone(struct store *s, const char *image, int to, struct err *e);

#endif
