/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_TABLES_H
#define CLOISTER_NODE_TABLES_H

#include "base/ctx.h"

/*
 * Raises the ends of kernel tables that all zones share, once in a boot of the host. Never fails: what can't be raised
 * is a warning.
 */
void node_tables(struct ctx *c);

#endif
