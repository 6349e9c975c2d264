/* SPDX-License-Identifier: MPL-2.0 */
/* A file or block device of the host as a machine's disk: opened here, for the machine opens nothing. Libc only. */
#ifndef CLOISTER_KERN_DISKFD_H
#define CLOISTER_KERN_DISKFD_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The descriptor, close-on-exec. A block device is opened exclusively: -EBUSY where it is mounted or another machine's. ro: also who
 * opens it anew through /proc/self/fd can't write to it, whatever its mode is.
 */
int diskfd_open(const char *path, bool ro, struct err *e);

#endif
