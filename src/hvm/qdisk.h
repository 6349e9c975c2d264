/* SPDX-License-Identifier: MPL-2.0 */
/* Disks as QEMU has them: their names there, and what one is made of, on its command line as in a command to one that runs. */
#ifndef CLOISTER_HVM_QDISK_H
#define CLOISTER_HVM_QDISK_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "hvm/qemu.h"

/* A disk of the VM's own lies in its dataset as disk<number>, and its path says which: -1 for a file of the host. */
#define QDISK_NUMBERS 256
int qdisk_number(const json_t *rec, const json_t *disk);
bool qdisk_cdrom(const json_t *disk);
const char *qdisk_model(const json_t *rec, const json_t *disk);

/* Its node in QEMU: the same from its start to its end, whatever else is added or removed. The device bears it with QDISK_DEV before it. */
#define QDISK_DEV "dev-"
/* Member of a disk that one start alone has: its node is none of those that the record is compared with. */
#define QDISK_ONCE "once"
typedef char qdisk_name[32];
void qdisk_name_of(const json_t *rec, const json_t *disk, qdisk_name out);

/* Arguments of blockdev-add; the file is what is in that set of descriptors. */
json_t *qdisk_node(const json_t *disk, const char *name, long long fdset);
/*
 * Arguments of device_add. bus: NULL = where QEMU puts it; ide: its place among six of model ide. bootindex 0 = none. What the
 * machine can't have is -ENOTSUP.
 */
int qdisk_device(const json_t *rec, const json_t *disk, const char *name, const char *bus, unsigned bootindex, json_t **out, struct err *e);
/* An object as an option of the command line: "virtio-blk-pci,drive=disk0". implied: the key whose name is left out. */
char *qdisk_option(const json_t *args, const char *implied);

#endif
