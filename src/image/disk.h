/* SPDX-License-Identifier: MPL-2.0 */
/* Images that are a machine's disk (type zvol): one raw file, in whole MiB, with holes where it is empty. */
#ifndef CLOISTER_IMAGE_DISK_H
#define CLOISTER_IMAGE_DISK_H

#include "image/build.h"
#include "image/unpack.h"

#define DISK_NAME "disk"

/*
 * From what job reads (a file, block device or pipe: raw, packed or qcow2; cloister-unpack) to root/disk of the image's dataset (descriptor
 * ds). The manifest gets image_size (MiB), which it may say already and which then is the disk's, and where they are missing disk_driver
 * and nic_driver.
 */
int disk_fill(struct ctx *c, const struct unpack_job *job, int ds, json_t *manifest, struct err *e);
/* The same members for a disk that is there. */
void disk_describe(json_t *manifest, uint64_t mib);
/* An image's disk as a copy of a VM's, sharing its blocks, of that many MiB whatever the file has: file is opened for reading. */
int disk_capture(int file, uint64_t mib, int ds, json_t *manifest, struct err *e);
/* The blocks of an installed image's disk as those of the file to, shared with it. */
int disk_clone(struct store *s, const char *image, int to, struct err *e);
/* A writable dataset that is a snapshot of the image's, and has nothing but its disk, as the file `as`. As long for any disk. */
int disk_dataset(struct store *s, const char *image, const char *name, const char *as, uint64_t quota_id, struct err *e);

#endif
