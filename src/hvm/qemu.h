/* SPDX-License-Identifier: MPL-2.0 */
/* QEMU's command line for a record of brand kvm. Nothing here acts; src/node/machine.c puts it into the spec of a zone. */
#ifndef CLOISTER_HVM_QEMU_H
#define CLOISTER_HVM_QEMU_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define QEMU_PROGRAM "/usr/bin/qemu-system-x86_64"
/* Its control socket in the run directory, and the numbers of the descriptors that it is born with. */
#define QEMU_SOCK "qmp.sock"
#define QEMU_AGENT_SOCK "agent.sock"
/* And its second serial port, where the worker asks what the guest has to say to the metadata service. */
#define QEMU_COM2_SOCK "metadata.sock"
#define QEMU_EVENTS "events.sock" /* the worker is its only client (zoneadmd/part_machine.c) */
enum { QEMU_FD_QMP = 20, QEMU_FD_KERNEL = 21, QEMU_FD_INITRD = 22, QEMU_FD_AGENT = 25, QEMU_FD_EVENTS = 26, QEMU_FD_COM2 = 27, QEMU_FD_ROM = 28, QEMU_FD_VARS = 29, QEMU_FD_SEED = 30, QEMU_FD_DISK = 32, QEMU_DISKS_MAX = 32 };

/* Root ports, of which disks have the first ones at a start; what is added to a running machine takes any that is free. */
#define QEMU_PORT "plug"
enum { QEMU_PORTS = 16, QEMU_PORTS_DISKS = 8 };

/* Memory that can be added while it runs, and processors that were. */
#define QEMU_ROOM "room"
#define QEMU_CPU  "cpu"
#define QEMU_CPU_TYPE "-x86_64-cpu" /* behind its model's name */

/*
 * kvm: else binary translation. layout (qlayout_check()ed; NULL = a new machine): one that waits for the state of a machine whose devices were
 * there; -ESTALE: the record is of other devices. Strings and array are the caller's: qemu_args_free().
 */
int qemu_args(const json_t *rec, bool kvm, const json_t *layout, char ***argv, struct err *e);
void qemu_args_free(char **argv);

/* The program is installed; else what to do. */
int qemu_there(struct err *e);

/* Order in which a machine tries its disks: the one to boot from first. Index into "disks" for each place; returns how many. */
size_t qemu_disk_order(const json_t *rec, size_t order[QEMU_DISKS_MAX]);

#endif
