/* SPDX-License-Identifier: MPL-2.0 */
/* What a command leaves to be done after its end. */
#ifndef CLOISTER_NODE_LATER_H
#define CLOISTER_NODE_LATER_H

#include <sys/types.h>

#include "base/ctx.h"

/*
 * Starts a verb of this program, with at most two more words (NULL: none), in a process of its own that has no terminal, no session and none
 * of our files: it outlives us, and nobody who waits for the end of our output waits for it.
 */
int later(const struct ctx *c, const char *verb, const char *a, const char *b, pid_t *pid);

#endif
