/* SPDX-License-Identifier: MPL-2.0 */
/* Base64 as RFC 4648 has it (section 4), without line breaks. Pure. */
#ifndef CLOISTER_BASE_BASE64_H
#define CLOISTER_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

void base64_add(struct buf *b, const void *p, size_t n);
/*
 * Into the place where it stands: how many bytes it is. -EINVAL for what is not base64, with its padding and nothing behind it; the text is
 * spoilt then.
 */
ssize_t base64_undo(char *p, size_t n);

#endif
