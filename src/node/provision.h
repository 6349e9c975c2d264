/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The end of provisioning where a distribution's init has to say that it is up (spec.notify). Until then the VM's state
 * stays "provisioning" while the zone runs; then, by whoever is first of the waiting create, the zone's keeper
 * (`cloister zone-ready`) and the next operation, it becomes "installed", or "failed" and halted after 300 s.
 */
#ifndef CLOISTER_NODE_PROVISION_H
#define CLOISTER_NODE_PROVISION_H

#include "node/vm.h"

/*
 * Lock held, no create at work on it. 0: it is over and the VM installed (or was before); 1: init is still coming up;
 * negative: it has failed, which is stored.
 */
int provision_settle(struct vm *v, struct err *e);
/* No lock held. Until it is over. */
int provision_wait(struct ctx *c, const char *uuid, struct err *e);
/*
 * The zone goes down, and with it what it had said: lock held, before its run folder is removed. for_good: it is not
 * booted again, so an init that has not come up never will. Nothing for a VM in another state.
 */
int provision_down(struct vm *v, bool for_good, struct err *e);
/*
 * Once the zone is down: the addresses of one that has failed may be another's from now on, and are in no set of the firewall. Not before: while
 * it goes down it may still send.
 */
void provision_gone(struct vm *v);

#endif
