/* SPDX-License-Identifier: MPL-2.0 */
/* The zone that a command line names, for the commands that work on running zones. */
#ifndef CLOISTER_CMD_ZONE_ARG_H
#define CLOISTER_CMD_ZONE_ARG_H

#include "base/ctx.h"

/* A uuid, an alias, the beginning of a uuid, or the id of a zone that runs. A whole uuid is taken as it is: no database is opened for it. */
int zone_arg(const struct ctx *c, const char *word, char uuid[37], struct err *e);
/* "installed", "running", … as illumos says it; NULL if there is no such zone. free() it. */
char *zone_arg_state(const struct ctx *c, const char *uuid);

#endif
