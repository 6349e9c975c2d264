/* SPDX-License-Identifier: MPL-2.0 */
/* cloister net set, get, unset: what a switch is for the zones on it. argv[0] is the verb. */
#ifndef CLOISTER_CMD_NET_SET_H
#define CLOISTER_CMD_NET_SET_H

#include "base/ctx.h"

int net_set(struct ctx *c, int argc, char **argv);
int net_get(struct ctx *c, int argc, char **argv);
int net_unset(struct ctx *c, int argc, char **argv);

#endif
