/* SPDX-License-Identifier: MPL-2.0 */
/* What a machine boots from: `boot`, "order=cdn,once=d", by letters as QEMU has them: c disks, d CD-ROMs, n NICs. */
#ifndef CLOISTER_HVM_QBOOT_H
#define CLOISTER_HVM_QBOOT_H

#include <jansson.h>

#include "base/err.h"

struct qboot {
	char order[8], once[8]; /* once: of the first boot of a start alone, "" = order too */
};
/* text NULL: disks, then CD-ROMs. */
int qboot_parse(const char *text, struct qboot *b, struct err *e);
/* Firmware's place for the nth device of that letter, from 1 on; what no letter names comes last. */
unsigned qboot_place(const char *letters, char letter, unsigned nth);
/* Where `once` is given: what the places of disks are after the first boot, {"dev-disk0": 1, …}; else NULL. New reference. */
json_t *qboot_later(const json_t *rec);

#endif
