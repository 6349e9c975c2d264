/* SPDX-License-Identifier: MPL-2.0 */
/* Names in archives: pure functions, so that they can be tested and fuzzed apart. */
#ifndef CLOISTER_UNPACK_NAME_H
#define CLOISTER_UNPACK_NAME_H

#include <limits.h>
#include <stdbool.h>

#define NAME_DEPTH_MAX 256

/*
 * "./a//b/" → "a/b"; "." → "". NULL if out is good, else why the name is refused: absolute, "..", too long, too deep.
 */
const char *name_clean(const char *in, char out[PATH_MAX]);
/* Whether a symbolic link at (clean) path with this target climbs over the root. Absolute targets begin at the root. */
bool name_link_leaves(const char *path, const char *target);
/* ".wh.x" is the whiteout of x: NULL if it is none. Sets *bad for one that names nothing, "." or "..". */
const char *name_whiteout(const char *name, bool *opaque, bool *bad);

#endif
