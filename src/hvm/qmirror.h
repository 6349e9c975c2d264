/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Disks of a machine that runs, block by block to where it goes: a job of QEMU's mirrors each to QEMU's NBD server there, over a descriptor. What the
 * guest writes meanwhile is written to both before it hears that it is done, so the end is always near.
 *
 *	here: qmirror_begin() … qmirror_look() until all are level … the guest stands … qmirror_end()
 *	there: qmirror_serve() …                                                       qmirror_unserve()
 */
#ifndef CLOISTER_HVM_QMIRROR_H
#define CLOISTER_HVM_QMIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hvm/qmp.h"

/* disk: its node (hvm/qdisk.h). fd: the NBD server's end, of which QEMU takes a copy. speed: bytes a second, 0 = as fast as it goes. */
int qmirror_begin(struct qmp *q, const char *disk, int fd, uint64_t speed, struct err *e);

struct qmirror_now {
	uint64_t done, total; /* bytes of all; total grows with what is written */
	unsigned jobs, level; /* how many there are, and of these that have all but what is written right now */
};
/* -EIO: one has failed, with QEMU's words. */
int qmirror_look(struct qmp *q, struct qmirror_now *now, struct err *e);
/* The guest stands, all are level: the last blocks go out and are flushed there, and the mirrors are no more. */
int qmirror_end(struct qmp *q, struct err *e);
/* None of them is left, wherever they are; also of a killed command's. */
int qmirror_undo(struct qmp *q, struct err *e);

/* listening: a unix socket, of which QEMU takes a copy. Each of n disks is an export of its name. */
int qmirror_serve(struct qmp *q, int listening, unsigned clients, struct err *e);
int qmirror_export(struct qmp *q, const char *disk, struct err *e);
int qmirror_unserve(struct qmp *q, struct err *e);

#endif
