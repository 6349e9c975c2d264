/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether this host's KVM can be trusted with a guest. That /dev/kvm opens proves nothing: there are hosts whose KVM runs a
 * part of the instruction set only, and a kernel that is booted there stops somewhere without a word.
 */
#ifndef CLOISTER_HVM_ACCEL_H
#define CLOISTER_HVM_ACCEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A guest of our own, of some instructions in ring 0 that kernels use from their first moment on, run to its end: 0. Else a
 * negative errno with the reason: no /dev/kvm, no right to it, an instruction that it can't do. At most half a second of
 * processor time; -ETIME: the host has not got round to it in ten.
 */
int accel_kvm_probe(struct err *e);
/* Its two halves, for who has something else to do while it runs; done() in any case: it waits for its end, which takes the kernel longer than the answer. One that was not started has pid 0. */
struct accel_probe {
	pid_t pid;
	int pidfd, said;
};
#define ACCEL_PROBE_INIT ((struct accel_probe){.pidfd = -1, .said = -1})
int accel_probe_start(struct accel_probe *a, struct err *e);
int accel_probe_end(struct accel_probe *a, struct err *e);
void accel_probe_done(struct accel_probe *a);

#endif
