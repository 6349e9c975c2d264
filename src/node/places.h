/* SPDX-License-Identifier: MPL-2.0 */
/* Where processes of ours that outlive a command are, beside the zones' supervisors: nobody's session. */
#ifndef CLOISTER_NODE_PLACES_H
#define CLOISTER_NODE_PLACES_H

#include "base/ctx.h"
#include "kern/cgroup.h"

struct places {
	char path[CG_JOIN_MAX][256], *join[CG_JOIN_MAX + 1];
};

/* Files that take a pid, ended by NULL; they live as long as p. None where cgroups are not as they should be: then one stays where it is. */
char *const *places_find(const struct ctx *c, struct places *p);

#endif
