/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_STOP_H
#define CLOISTER_NODE_STOP_H

#include "node/vm.h"

/* Ends the running zone: by its own shutdown within the brand's time, or at once. Lock held, autoboot untouched. */
int vm_take_down(struct vm *v, bool force, int timeout, bool reboot, struct err *e);
/* delete.c: all of delete but the checks: also what finishes a delete that was killed. Lock held. */
int vm_delete_finish(struct vm *v, struct err *e);

/* suspend.c: what a killed suspend or checkpoint left. The guest runs on. */
int suspend_recover(struct vm *v, struct err *e);

#endif
