/* SPDX-License-Identifier: MPL-2.0 */
/* What a machine starts with: SeaBIOS, which QEMU has itself, or OVMF (UEFI), whose variables are kept with the machine's disks. */
#ifndef CLOISTER_NODE_FIRMWARE_H
#define CLOISTER_NODE_FIRMWARE_H

#include "node/vm.h"
#include "zone/spec.h"

/* The file of its variables, where bootrom is uefi: as the distribution ships it, if it is not there; never replaced. The dataset is there. */
int firmware_make(struct vm *v, struct err *e);
/* Its descriptors, and that file where the dataset is there already: bootrom may have been changed. -ENOENT with what to install. */
int firmware_spec(struct vm *v, void (*hand)(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path), struct zspec *z,
		  struct err *e);
/* The firmware that the record asks for is installed. */
int firmware_there(const json_t *rec, struct err *e);

#endif
