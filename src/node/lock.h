/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Locks and intents.
 *
 * A VM's lock is an open-file-description lock on <run>/locks/<uuid>: it goes with the process that held it. The
 * file is never unlinked (a second holder could lock the old inode) and close-on-exec. Order: image, then VMs by uuid,
 * then database.
 *
 * An intent is a file <run>/intents/<uuid> that exists while a command changes what a VM is made of. One whose lock is
 * free belongs to a command that was killed; node_recover() clears up after it.
 */
#ifndef CLOISTER_NODE_LOCK_H
#define CLOISTER_NODE_LOCK_H

#include "base/ctx.h"

/* Waits (up to c->deadline) for the lock; returns a descriptor that holds it until it is closed. */
int lock_take(const struct ctx *c, const char *uuid, struct err *e);
/* -EAGAIN at once if somebody holds it. */
int lock_try(const struct ctx *c, const char *uuid, struct err *e);

int intent_set(const struct ctx *c, const char *uuid, const char *what, struct err *e);
/* -EEXIST where there is one. */
int intent_new(const struct ctx *c, const char *uuid, const char *what, struct err *e);
void intent_clear(const struct ctx *c, const char *uuid);
/* Calls each for every intent; the directory is empty as a rule, so this costs one open. */
int intent_each(const struct ctx *c, int (*each)(const char *uuid, const char *what, void *arg), void *arg, struct err *e);

#endif
