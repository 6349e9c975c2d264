/* SPDX-License-Identifier: MPL-2.0 */
/* The zone that a command line names, for the commands that work on running zones. */
#ifndef CLOISTER_CMD_ZONE_ARG_H
#define CLOISTER_CMD_ZONE_ARG_H

#include <stdbool.h>

#include "base/ctx.h"

/* A uuid, an alias, or the beginning of a uuid. A whole uuid is taken as it is: no database is opened for it. */
int zone_arg(const struct ctx *c, const char *word, char uuid[37], struct err *e);
/* "installed", "running", … as illumos says it; NULL if there is no such zone. free() it. */
char *zone_arg_state(const struct ctx *c, const char *uuid);
/*
 * Are we in a zone? 0: no, in the global one. 1: yes, and *value (free()) is what it says of itself: "zonename", "uuid",
 * "zoneid", "brand". -ENOENT: in some container that is not one of ours.
 */
int zone_self(const char *key, char **value, struct err *e);
bool zone_inside(void);

#endif
