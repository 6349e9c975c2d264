/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a machine that runs has its devices, as who goes on with its state has to have them too: that of the first one is in the
 * order of its start and of what came and went since.
 *
 *	{"version": 1, "machine": "pc-q35-7.2", "qemu": [7, 2, 9], "accelerator": "tcg", "cpu": "…", "ram": 1024, "vcpus": 2,
 *	 "devices": {"dev-disk0": {"type": "virtio-blk-pci", "bus": "pcie.0", "addr": 32}, …},
 *	 "size": {"room": 3072, "asked": 1024, "taken": 1024, "vcpus": 4, "cores": [0, 1], "kept": 0}}
 *
 * "ram" is MiB that it was started with; of "size" (which older ones have not: then nothing was added) room is MiB that can be added, asked what of it its guest
 * was offered and taken what that has; vcpus how many processors there may be, and cores which of them are there: "vcpus" of them. kept is this
 * side's own: MiB by which the kernel's limit stood above the record's, because a guest had not given back what it had.
 * "kernel": {"kernel": "…", "initrd": "…", "args": "…"}: SHA-256 of what it was started with in place of its disks, and the words for it (node/kernel.h).
 *
 * It comes from a file or from another host: qlayout_check() first.
 */
#ifndef CLOISTER_HVM_QLAYOUT_H
#define CLOISTER_HVM_QLAYOUT_H

#include <jansson.h>

#include "base/err.h"
#include "hvm/qmp.h"

enum { QLAYOUT_VERSION = 1, QLAYOUT_DEVICES = 128, QLAYOUT_WORD = 64 };

/* Memory in MiB, and processors: cores 0 to vcpus - 1 are there, and those of more beyond (borrowed, NULL = none) from index vcpus on. */
struct qlayout_size {
	long long ram, room, asked, taken, kept;
	long long vcpus, most;
	const json_t *cores;
};
/* Of a record: as a machine starts with it. */
void qlayout_size_rec(const json_t *rec, struct qlayout_size *s);
/* Of a layout, which is checked; one without "size" is of a machine as its record starts it. */
void qlayout_size(const json_t *layout, const json_t *rec, struct qlayout_size *s);
/*
 * -ESTALE: the record is not of a machine of that memory and those processors, or not of one that may have them. Whatever the layout says is within
 * max_ram and max_vcpus then.
 */
int qlayout_size_check(const json_t *layout, const json_t *rec, struct err *e);

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
/* -EBADMSG: what the state has brought of memory that was added is not what the layout says of it. Asked of the machine that has read it. */
int qlayout_came(struct qmp *q, const json_t *layout, struct err *e);

#endif
