/* SPDX-License-Identifier: MPL-2.0 */
/* QEMU's command line for a record of brand kvm. Nothing here acts; src/node/spec_hvm.c puts it into the spec of a zone. */
#ifndef CLOISTER_HVM_QEMU_H
#define CLOISTER_HVM_QEMU_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define QEMU_PROGRAM "/usr/bin/qemu-system-x86_64"
/* Its control socket in the run directory, and the numbers of the descriptors that it is born with. */
#define QEMU_SOCK "qmp.sock"
enum { QEMU_FD_QMP = 20, QEMU_FD_DISK = 32, QEMU_DISKS_MAX = 32 };

/* kvm: else binary translation. Strings and array are the caller's: qemu_args_free(). */
int qemu_args(const json_t *rec, bool kvm, char ***argv, struct err *e);
void qemu_args_free(char **argv);

/* The program is installed; else what to do. */
int qemu_there(struct err *e);

/* Order in which a machine tries its disks: the one to boot from first. Index into "disks" for each place; returns how many. */
size_t qemu_disk_order(const json_t *rec, size_t order[QEMU_DISKS_MAX]);

#endif
