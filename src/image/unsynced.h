/* SPDX-License-Identifier: MPL-2.0 */
/* Programs that make an image flush each file that they write, thousands of times; the image is flushed once, when it is whole (build.c). */
#ifndef CLOISTER_IMAGE_UNSYNCED_H
#define CLOISTER_IMAGE_UNSYNCED_H

/* From now on fsync and its like succeed at once in this process and what it starts. For a child before its exec, root. 0 or negative errno. */
int unsynced(void);

#endif
