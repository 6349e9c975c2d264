/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a machine that runs has its devices, as who goes on with its state has to have them too: that of the first one is in the
 * order of its start and of what came and went since.
 *
 *	{"version": 1, "machine": "pc-q35-7.2", "qemu": [7, 2, 9], "accelerator": "tcg", "cpu": "…", "ram": 1024, "vcpus": 2,
 *	 "devices": {"dev-disk0": {"type": "virtio-blk-pci", "bus": "pcie.0", "addr": 32}, …}}
 *
 * It comes from a file or from another host: qlayout_check() first.
 */
#ifndef CLOISTER_HVM_QLAYOUT_H
#define CLOISTER_HVM_QLAYOUT_H

#include <jansson.h>

#include "base/err.h"
#include "hvm/qmp.h"

enum { QLAYOUT_VERSION = 1, QLAYOUT_DEVICES = 128, QLAYOUT_WORD = 64 };

/* Every member is there, and a name or a number that QEMU's command line can't take for more than one. */
int qlayout_check(const json_t *layout, struct err *e);
/* Of a machine that runs. kvm: by what. New reference. */
int qlayout_ask(struct qmp *q, bool kvm, json_t **out, struct err *e);
/*
 * Gives a device of a new machine ("id" in it) its place. -ESTALE: the state has no such device, or another at its name. layout NULL:
 * nothing is done.
 */
int qlayout_place(const json_t *layout, json_t *device, struct err *e);
/* Whether this program and this processor can go on with it: asked of the machine that is to. */
int qlayout_suits(struct qmp *q, const json_t *layout, struct err *e);

#endif
