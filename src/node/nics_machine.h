/* SPDX-License-Identifier: MPL-2.0 */
/*
 * NICs of a machine that runs, as its monitor has them: asked over its control socket, which may take as long as the guest likes, so never
 * with the switch's lock. What each may send is the switch's business (nics_live.c), before a NIC is plugged in and after it is gone.
 */
#ifndef CLOISTER_NODE_NICS_MACHINE_H
#define CLOISTER_NODE_NICS_MACHINE_H

#include "node/vm.h"

/* Those of the first list that are not in the second: the guest lets go of them, and their taps are closed. -ETIME: it does not. */
int machine_unplug(struct vm *v, const json_t *from, const json_t *to, struct err *e);

/* Taps that are ready, for NICs of a record. */
struct plug {
	struct {
		const json_t *nic;
		uint32_t mtu;
		int tap;
	} nic[32];
	size_t n;
};
/* Takes the descriptor over. */
void plug_add(struct plug *p, const json_t *nic, uint32_t mtu, int tap);
void plug_done(struct plug *p);
/* Plugs them in. */
int machine_plug(struct vm *v, const struct plug *p, const json_t *rec, struct err *e);

#endif
