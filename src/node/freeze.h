/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine's guest holds still while its disks are taken, where it has an agent that can have it do so; where not, they are as after a power cut. Nobody in it
 * can write meanwhile, so it is thawed whatever becomes of the command: by a guard, else by what clears up after intents.
 */
#ifndef CLOISTER_NODE_FREEZE_H
#define CLOISTER_NODE_FREEZE_H

#include "image/child.h"
#include "node/vm.h"

struct freeze {
	struct vm *v; /* NULL: there is nothing to thaw */
	struct child guard;
};
#define FREEZE_INIT ((struct freeze){.guard = CHILD_INIT})

/* Lock held. What is wrong is logged: the disks are taken all the same. Nothing for what is no machine, or does not run. */
void freeze_begin(struct vm *v, struct freeze *f);
/* Thaws. Once more: nothing. Usable as a cleanup. */
void freeze_end(struct freeze *f);

#endif
