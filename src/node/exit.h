/* SPDX-License-Identifier: MPL-2.0 */
/* How a VM's init ended last: kept beside its data in <zonepath>/config/lastexited.json, as on SmartOS. */
#ifndef CLOISTER_NODE_EXIT_H
#define CLOISTER_NODE_EXIT_H

#include "base/buf.h"
#include "zone/zone.h"

/* What the keeper found, as the JSON object that is kept. false: nothing has ended. */
bool exit_text(const struct zone_run *r, struct buf *out);
int exit_save(const struct ctx *c, const char *uuid, const struct zone_run *r, struct err *e);

#endif
