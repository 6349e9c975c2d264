/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the worker of a running zone is told: <run_dir>/settings, lines "name value", replaced in one rename. Written by the
 * command that boots the zone, and by whoever changes one of them live, who then tells the worker.
 */
#ifndef CLOISTER_ZONE_SETTINGS_H
#define CLOISTER_ZONE_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/ctx.h"

#define SETTINGS_FILE "settings"
#define SETTINGS_MAX  4096

/* The value of a line, or dflt if there is none or it is no number. Libc only. */
uint64_t settings_u64(const char *text, const char *name, uint64_t dflt);

/* The text of a line, NUL behind it: 0, -ENOENT, -E2BIG. Libc only. */
int settings_text(const char *text, const char *name, char *out, size_t size);

/* Replaces the file of a zone whose run directory is there. */
int settings_put(const struct ctx *c, const char *uuid, const char *text, struct err *e);
/*
 * Makes the worker read it and waits until every part of it has taken it, 5 s at most. -ESRCH: the zone has no worker now;
 * the next one reads the file when it starts. -EBUSY: too many look at its console.
 */
int settings_tell(const struct ctx *c, const char *uuid, struct err *e);

/* Has the worker look again, and waits for nothing: for what it would find by itself within a minute. */
void settings_nudge(const struct ctx *c, const char *uuid);

#endif
