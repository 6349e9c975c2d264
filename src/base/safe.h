/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bytes of others as text that can be shown, stored and put into JSON: valid UTF-8 on one line, without anything that a
 * terminal obeys or that changes the order of what stands beside it. Pure.
 */
#ifndef CLOISTER_BASE_SAFE_H
#define CLOISTER_BASE_SAFE_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Appends p. A backslash is doubled; control characters, bytes that are no UTF-8 and marks of direction become \ooo, byte
 * by byte. Two different inputs never look the same.
 */
void safe_add(struct buf *out, const void *p, size_t n);
/* The same into out, cut back to a whole character of those that safe_add() makes; ends with NUL. size: at least 1. */
void safe_text(char *out, size_t size, const void *p, size_t n);
/* The arguments of a process as the kernel gives them, NUL after each: with a blank between them. */
void safe_add_args(struct buf *out, const char *p, size_t n);

#endif
