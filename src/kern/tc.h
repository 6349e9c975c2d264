/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Programs at interfaces by traffic control (any kernel since 4.16). The filter belongs to a block, which interfaces join: one
 * write puts a program before all of them, and another replaces it there. A block lives as long as somebody is in it.
 * s: an rtnetlink socket in the namespace of the interfaces (rtnl.h).
 */
#ifndef CLOISTER_KERN_TC_H
#define CLOISTER_KERN_TC_H

#include <stdint.h>

#include "base/err.h"

/* What arrives at this interface goes through the filter of that block, from 1 on. -EEXIST: it has a queueing discipline there already. */
int tc_join(int s, int index, uint32_t block, struct err *e);
/* The block's filter, made or replaced; a frame meets the old or the new. Somebody has joined. */
int tc_program(int s, uint32_t block, int prog, const char *name, struct err *e);

#endif
