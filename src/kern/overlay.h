/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Native folders of an overlay's upper layer: /var and its like, where a system writes. Such a folder has been there,
 * complete and opaque, since the layer was made, so it is bound over the overlay's view of it, and what is done in it
 * costs what the file system below costs. Whoever looks at the layers as an overlay (an image being made of a
 * VM, a snapshot that is shown) sees the same files. The mark is trusted.*, which no zone can set. Libc only.
 */
#ifndef CLOISTER_KERN_OVERLAY_H
#define CLOISTER_KERN_OVERLAY_H

/* Names in the root, NULL at the end. */
extern const char *const overlay_natives[];

/* Marks the folder dirfd/name of an upper layer that is being made. 0 or negative errno. */
int overlay_native_mark(int dirfd, const char *name);
/* Opens dirfd/name if it is one: its descriptor, or -ENOENT. */
int overlay_native_open(int dirfd, const char *name);

#endif
