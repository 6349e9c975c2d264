/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether this host's KVM can be trusted with a guest. That /dev/kvm opens proves nothing: there are hosts whose KVM runs a
 * part of the instruction set only, and a kernel that is booted there stops somewhere without a word.
 */
#ifndef CLOISTER_HVM_ACCEL_H
#define CLOISTER_HVM_ACCEL_H

#include <stdbool.h>

#include "base/err.h"

/*
 * A guest of our own, of some instructions in ring 0 that kernels use from their first moment on, run to its end: 0. Else a
 * negative errno with the reason: no /dev/kvm, no right to it, an instruction that it can't do. At most half a second.
 */
int accel_kvm_probe(struct err *e);

#endif
