/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's state in its dataset, beside its disks: so a snapshot has it, a rollback brings it, and the one of a root that is exchanged goes with it.
 *
 *	root/state           of a machine that is suspended: its next start goes on from there. Never beside a guest that runs
 *	root/state.new       one that is being written: nothing, for anybody
 *	root/checkpoint      the same of a snapshot with memory; in that snapshot it is what a rollback makes "state" of
 */
#ifndef CLOISTER_NODE_SAVED_H
#define CLOISTER_NODE_SAVED_H

#include <stdbool.h>

#include "hvm/qmigrate.h"
#include "node/vm.h"

#define SAVED_STATE      "state"
#define SAVED_NEW        "state.new"
#define SAVED_CHECKPOINT "checkpoint"

/* Whether its next start goes on with a state: of brand kvm, not running. */
bool saved_there(const struct ctx *c, const char *uuid);
/*
 * Writes the state of a guest that runs on meanwhile to that name. snapshot: the name of the one that it is for; NULL. 0: the guest stands, and the file is whole, but perhaps not yet
 * on the disk. Negative: the guest runs on, the file is gone. -ENOSPC, -EDQUOT: with what was missing.
 */
int saved_write(struct vm *v, const char *name, const char *snapshot, struct qmigrate_now *end, struct err *e);
/* From "state.new" to "state", for good. */
int saved_commit(struct vm *v, struct err *e);
/* All of them away, for good: before a guest runs. 1 = there was a "state". */
int saved_drop(struct vm *v, struct err *e);
/* All but "state": of one that has ended, what is half written, or is of a snapshot that was not made. */
int saved_tidy(struct vm *v, struct err *e);
/* Of a root that has just been made of a snapshot of that name. 1 = it has the memory too, and is now suspended. */
int saved_adopt(struct vm *v, const char *snapshot, struct err *e);
/* vm_boot_zone(), or where there is a state, going on from it. Nothing is lost when that fails: the state stays. 1 = it went on. */
int saved_boot(struct vm *v, struct err *e);
/* Whether the new record is still that of the machine whose state there is: -EBUSY, and what to do. */
int saved_check_update(struct vm *v, const json_t *rec, const json_t *changed, struct err *e);

#endif
