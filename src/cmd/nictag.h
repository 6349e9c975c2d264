/* SPDX-License-Identifier: MPL-2.0 */
/* What nictagadm and dladm do to etherstubs alike. */
#ifndef CLOISTER_CMD_NICTAG_H
#define CLOISTER_CMD_NICTAG_H

#include "state/state.h"

#define STUB_MTU 9000 /* nothing of it leaves the host: as large as a NIC may be */

/* A name that vmadm takes as nic_tag. */
int nictag_name(const char *name, struct err *e);
/* force: VMs may use it. stub: only if it is an etherstub. -EBUSY, -ENOENT. */
int nictag_delete(struct state *st, const char *name, bool force, bool stub, struct err *e);

#endif
