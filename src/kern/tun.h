/* SPDX-License-Identifier: MPL-2.0 */
/* Taps: interfaces whose other end is a descriptor. */
#ifndef CLOISTER_KERN_TUN_H
#define CLOISTER_KERN_TUN_H

#include "base/err.h"

/*
 * A new tap of that name, down, in the network namespace of descriptor ns (the calling thread is there meanwhile). Each frame begins with a
 * virtio header, so that what segments and checksums is the last device. It goes when the last copy of the returned descriptor is closed. -EEXIST.
 */
int tun_open(int ns, const char *name, struct err *e);

#endif
