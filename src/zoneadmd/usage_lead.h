/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One worker of a node leads: it samples the host, and all zones where samples are wanted so often that waking a process for
 * each would cost more than what is read (docs/decisions/usage.md).
 *
 * Who leads holds a lock and has its name in the locked file. A second lock makes one other its deputy, which holds a pidfd of it and so
 * wakes when it has gone; the rest look again when they sample next.
 */
#ifndef CLOISTER_ZONEADMD_USAGE_LEAD_H
#define CLOISTER_ZONEADMD_USAGE_LEAD_H

#include <stdbool.h>
#include <stdint.h>

#define LEAD_SLICE 32 /* zones at a time: our zone's console is served between them */

/* The folder of usage. */
void lead_open(int dir);
/* Takes the lead if nobody has it; else, if there is none, we are the deputy. true: the lead is ours, and will be until we end. */
bool lead_take(void);
/* Of the deputy: polls readable when who leads has gone, and lead_take() is to be called again; else -1. */
int lead_fd(void);
/* false: we can't tell whether anybody leads. */
bool lead_known(void);

struct lead_node {
	int dir, run; /* the folder of usage, and the node's run directory */
	const char *bootid, *fsid;
};
/* Samples the next LEAD_SLICE zones; true = there are more of this round. The first call of a round looks for who runs. */
bool lead_sample(const struct lead_node *n);
/* Closes and frees all that sampling holds. */
void lead_forget(void);

#endif
