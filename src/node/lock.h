/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Locks and intents.
 *
 * A VM's lock is on <run>/locks/<uuid>: it goes with the process that held it, and with the zoneadmd that this has started
 * and that has not got as far as a zone (zone/claim.h). The file is never unlinked (a second holder could lock the old
 * inode) and close-on-exec. Order: image, then VMs by uuid, then database.
 *
 * An intent is a file <run>/intents/<uuid> that exists while a command changes what a VM is made of. One whose lock is
 * free belongs to a command that was killed; node_recover() clears up after it.
 */
#ifndef CLOISTER_NODE_LOCK_H
#define CLOISTER_NODE_LOCK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/ctx.h"

/*
 * Waits (up to c->deadline) for the lock; returns a descriptor that holds it until it is closed, and of which no copy may be
 * closed before that. What a killed command has left at work on the VM is ended first.
 */
int lock_take(const struct ctx *c, const char *uuid, struct err *e);
/* -EAGAIN at once if a command holds it. */
int lock_try(const struct ctx *c, const char *uuid, struct err *e);

int intent_set(const struct ctx *c, const char *uuid, const char *what, struct err *e);
/* -EEXIST where there is one. */
int intent_new(const struct ctx *c, const char *uuid, const char *what, struct err *e);
/* What it says, appended; -ENOENT where there is none. */
int intent_read(const struct ctx *c, const char *uuid, struct buf *out);
bool intent_there(const struct ctx *c, const char *uuid);
/* -EBUSY where there is one: of a command that was killed, and that can't be cleared up yet; there is but one place. */
int intent_refuse(const struct ctx *c, const char *uuid, struct err *e);
void intent_clear(const struct ctx *c, const char *uuid);
/* Calls each for every intent; the directory is empty as a rule, so this costs one open. */
int intent_each(const struct ctx *c, int (*each)(const char *uuid, const char *what, void *arg), void *arg, struct err *e);

#endif
