/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A process beside a command that holds a guest still: where the command is killed, it takes back what that has left at once, and not when somebody types
 * the next. The intent has to be there before it is started.
 */
#ifndef CLOISTER_NODE_GUARD_H
#define CLOISTER_NODE_GUARD_H

#include "base/ctx.h"
#include "image/child.h"

/* What can't be started is logged: the next command clears up. child_end() when all is done; where the guard is to try it once more, .pid is set to 0 instead. */
void guard_start(struct ctx *c, const char *uuid, struct child *k);
/* The guard itself: waits for the end of process `of` (a pidfd). */
int guard_run(struct ctx *c, const char *uuid, int of, struct err *e);

#endif
