/* SPDX-License-Identifier: MPL-2.0 */
/* `cloister net fabric …`: argv[0] is "fabric". Returns the exit status. */
#ifndef CLOISTER_CMD_NET_FABRIC_H
#define CLOISTER_CMD_NET_FABRIC_H

#include "base/ctx.h"

int net_fabric(struct ctx *c, int argc, char **argv);

#endif
