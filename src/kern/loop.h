/* SPDX-License-Identifier: MPL-2.0 */
/* Loop devices over preallocated files: direct I/O, freed by the kernel when the last user goes (nothing leaks on a kill). */
#ifndef CLOISTER_KERN_LOOP_H
#define CLOISTER_KERN_LOOP_H

#include <stdbool.h>

#include "base/err.h"

#define LOOP_NAME 32

/*
 * The device that already stands over file, or a new one. Returns its descriptor; while it is open, or the device is
 * mounted, the device stays. name gets "/dev/loopN"; *direct whether the backing file system does direct I/O.
 */
int loop_open(const char *file, char name[LOOP_NAME], bool *direct, struct err *e);
/* Descriptor of the device over file, -ENOENT if there is none. */
int loop_find(const char *file, char name[LOOP_NAME], struct err *e);
/* After the file has grown. */
int loop_resize(int fd, struct err *e);

#endif
