/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_CREATE_H
#define CLOISTER_NODE_CREATE_H

#include "node/vm.h"

/* Takes back a create that was killed: v has lock, st, rec and id_base as far as they exist. Works at any stage. */
int vm_create_undo(struct vm *v, struct err *e);

#endif
