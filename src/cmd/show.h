/* SPDX-License-Identifier: MPL-2.0 */
/* Text of others on a terminal: no control characters, and padded by characters rather than bytes. */
#ifndef CLOISTER_CMD_SHOW_H
#define CLOISTER_CMD_SHOW_H

#include <jansson.h>

#include "base/buf.h"

/* Appends s with every control character as '?'; returns how many characters that is wide. */
unsigned show_add(struct buf *out, const char *s);
/* The same in a column: padded with blanks to width. */
void show_cell(struct buf *out, const char *s, unsigned width);
/* Takes the blanks off the end. */
void show_trim(struct buf *out);

/* A value with texts of others in it, printed: the control characters that JSON lets stand (DEL, C1) escaped too. flags: of json_dumps(). */
void show_dump(const json_t *v, size_t flags);
/* A JSON string; control characters, quotes and backslashes escaped. */
void show_quoted(struct buf *out, const char *s);
/* A JSON number that is not an integer, with so many digits. */
void show_real(struct buf *out, double d, int digits);

#endif
