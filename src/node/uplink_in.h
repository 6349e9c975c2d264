/* SPDX-License-Identifier: MPL-2.0 */
/* What the files of uplinks share: the object in the database, and its watcher. */
#ifndef CLOISTER_NODE_UPLINK_IN_H
#define CLOISTER_NODE_UPLINK_IN_H

#include <jansson.h>

#include "net/uplink.h"
#include "node/uplink.h"

#define UPLINK_KIND "uplink"

/* -EUCLEAN: it can't be read. */
int uplink_from(const char *tag, const json_t *o, struct uplink *u, struct err *e);
/* until: seconds of uplink_now() in this boot, 0: confirmed. */
int uplink_keep(const struct ctx *c, struct state *st, const char *tag, const struct uplink *u, int64_t until, struct err *e);
/* Seconds of CLOCK_BOOTTIME. */
int64_t uplink_now(void);
/* Seconds that are left until it goes back: 0 = they are over, -1 = it is confirmed. */
int64_t uplink_left(const struct ctx *c, const json_t *o);
/* Nobody confirmed it: it goes back. The nic tag goes too, unless a VM has a NIC on it by now. */
int uplink_expire(struct ctx *c, const char *tag, struct err *e);
int uplink_watch_start(struct ctx *c, const char *tag, struct err *e);

#endif
