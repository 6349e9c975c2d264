/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_UPDATE_H
#define CLOISTER_NODE_UPDATE_H

#include "node/vm.h"

/*
 * Takes back an update that was killed before it was stored; target is the record it was going to (its intent's text).
 * One that was stored already needs nothing but the record's copy beside the data. Lock held.
 */
int vm_update_recover(struct vm *v, const char *target, struct err *e);

#endif
