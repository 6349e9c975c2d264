/* SPDX-License-Identifier: MPL-2.0 */
/* What the verbs of flowadm share: which flows a command line means. */
#ifndef CLOISTER_CMD_FLOWADM_H
#define CLOISTER_CMD_FLOWADM_H

#include "cmd/dladm.h"
#include "node/flow.h"

struct fl_want {
	const char *link, *zone, *name; /* NULL: all */
	char uuid[37], nic[16];         /* of link and zone, where they were given */
};
/* link: "net0", "ZONE/net0"; zone may be NULL where the link is of one zone alone. Sets uuid and nic. -ENOENT, -ENOTUNIQ */
int fl_link(struct ctx *c, struct state *st, struct fl_want *w, struct err *e);
/* Each one wanted; name alone: -ENOENT. A negative return of each ends it. */
int fl_each(struct ctx *c, struct state *st, struct fl_want *w, int (*each)(const struct flow *, void *), void *arg, struct err *e);

#endif
