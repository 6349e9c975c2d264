/* SPDX-License-Identifier: MPL-2.0 */
/* Keys and scripts of a zone's metadata, at its boot. */
#ifndef CLOISTER_NODE_SCRIPTS_H
#define CLOISTER_NODE_SCRIPTS_H

#include "brand/brand.h"
#include "node/vm.h"
#include "zone/spec.h"

/* Puts into the spec what has them installed and run there; the rest of the spec is made. */
int scripts_spec(struct vm *v, struct zspec *z, enum init_kind kind, struct err *e);
/* From outside, in a zone whose init does not. */
int scripts_run(struct ctx *c, const char *uuid, struct err *e);

#endif
