/* SPDX-License-Identifier: MPL-2.0 */
/* Which zone is this? What a program says of the zone it runs in, and a zone's line in zoneadm's list. */
#ifndef CLOISTER_ZONE_SELF_H
#define CLOISTER_ZONE_SELF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* In a user namespace of its own, which the global zone is not. */
bool zone_inside(void);
/*
 * Are we in a zone? 0: no, in the global one. 1: yes, and *value (free()) is what it says of itself: "zonename", "uuid",
 * "zoneid", "brand". -ENOENT: in some container that is not one of ours.
 */
int zone_self(const char *key, char **value, struct err *e);

enum zone_line_form { ZONE_LINE_NAME, ZONE_LINE_PARSEABLE, ZONE_LINE_VERBOSE };
struct zone_line {
	uint64_t id; /* UINT64_MAX = does not run */
	const char *name, *state, *path, *uuid, *brand;
};
/* With its newline. The header is nothing but for ZONE_LINE_VERBOSE. */
void zone_line_header(enum zone_line_form f, struct buf *out);
void zone_line(const struct zone_line *z, enum zone_line_form f, struct buf *out);
/*
 * zoneadm list as a zone sees it: itself and nothing else. 0: we are in the global zone, out is untouched; 1: out has it.
 * -ENOENT: `zone` (a name or a uuid, NULL = none was asked for) is another one.
 */
int zone_self_list(const char *zone, enum zone_line_form f, struct buf *out, struct err *e);

#endif
