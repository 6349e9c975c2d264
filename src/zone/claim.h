/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A VM's lock file, <run>/locks/<uuid>, byte by byte.
 *
 *	COMMAND   by process: the command that works on the VM
 *	WORK      by open file description: that command, and the zoneadmd that it has started, which was handed the
 *	          description: until that zone runs, or nothing of it is left
 *	BOOTING   by process: that zoneadmd, so that the kernel says which it is; until it tells its command that the zone runs
 *
 * Taken in this order: who has COMMAND and does not get WORK knows that the last command was killed, and that what it had
 * started has not ended yet.
 *
 * A lock by process goes with the process, is not inherited, and goes too when the process closes any descriptor of the
 * file, a copy too: nobody opens a lock file twice, and who hands its descriptor on does so in the child.
 */
#ifndef CLOISTER_ZONE_CLAIM_H
#define CLOISTER_ZONE_CLAIM_H

#include <stdbool.h>

enum claim { CLAIM_WORK, CLAIM_COMMAND, CLAIM_BOOTING };

/* 0, -EINTR; -EAGAIN where it is another's and the caller does not want to wait. */
int claim_take(int fd, enum claim what, bool wait);
void claim_yield(int fd, enum claim what);
/*
 * Kills the zoneadmd that still works for a command that is no more, or that has given it up, and waits for its end. One that is not
 * so far that it has a name sees by itself that its command has gone. 0, -ETIME after ms.
 */
int claim_end_booting(int fd, int ms);

#endif
