/* SPDX-License-Identifier: MPL-2.0 */
/* How a VM's init ended last: kept beside its data in <zonepath>/config/lastexited.json, as on SmartOS. */
#ifndef CLOISTER_NODE_EXIT_H
#define CLOISTER_NODE_EXIT_H

#include "zone/zone.h"

/* From what the keeper found (r->ended). Nothing is written while nothing has ended. */
int exit_save(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e);
/* status: exit code, or minus the signal's number; *known=0 when nobody could tell. -ENOENT before the first exit. */
int exit_load(const struct ctx *c, const char *uuid, int *status, int *known, char when[72], struct err *e);

#endif
