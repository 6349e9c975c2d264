/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state of a machine that runs, out of it and into another one: to a file (suspend.c) or to another host. Where its devices are goes along, as
 * JSON (hvm/qlayout.h).
 *
 *	here:  machine_layout()  ─ layout ─▶  there:  v->incoming = {layout, fd}; vm_boot_zone()
 *	       machine_outgoing() ─ stream ─▶          … which loads it and lets the guest go on, unless .hold; then machine_go_on() does
 *
 * Lock held everywhere. A command killed anywhere leaves a guest that runs, or one that machine_go_on() lets go on: QEMU sees the stream
 * break, goes on with its guest where it wrote and ends where it read.
 */
#ifndef CLOISTER_NODE_MACHINE_STATE_H
#define CLOISTER_NODE_MACHINE_STATE_H

#include <jansson.h>

#include "hvm/qmigrate.h"
#include "node/vm.h"

/*
 * New reference. -EBUSY: its guest has not been let go yet, its record has changes that wait for its next start, or it has what this start alone has. -ENOTSUP: it has a device whose state
 * QEMU can't write.
 */
int machine_layout(struct vm *v, json_t **layout, struct err *e);
/* qmigrate_out() of a VM that runs. 0: its guest stands; vm_halt_zone(), or machine_outgoing_undo(). */
int machine_outgoing(struct vm *v, int fd, const struct qmigrate_opts *o, struct qmigrate_now *end, struct err *e);
int machine_outgoing_undo(struct vm *v, struct err *e);
/*
 * Before anything is started for it: that layout is checked, this host has its accelerator, and the record is of those devices. kvm as the state has
 * it. -ESTALE, -ENOTSUP with the reason.
 */
int machine_incoming_check(const struct vm *v, const json_t *layout, bool *kvm, struct err *e);
/* Of a boot whose v->incoming is set: the monitor, which waits, takes the stream. Then its guest stands. */
int machine_incoming(struct vm *v, struct qmp *q, struct err *e);
/* A guest that goes on later than it was stopped: its agent sets its clock, where it has one, and the network hears where it is. */
void machine_woken(struct vm *v, struct qmp *q);

#endif
