/* SPDX-License-Identifier: MPL-2.0 */
/* Events that no command makes: what a zone's worker tells (zoneadmd/part_events.c) gets its details here. */
#ifndef CLOISTER_NODE_EVENT_H
#define CLOISTER_NODE_EVENT_H

#include "base/ctx.h"

/*
 * kind: [a-z-], at most 23. count: how often it came since it was told last. detail: a JSON object as text, or NULL. -ENOENT: there
 * is no such VM.
 */
int event_zone(struct ctx *c, const char *uuid, const char *kind, uint64_t count, const char *detail, struct err *e);

#endif
