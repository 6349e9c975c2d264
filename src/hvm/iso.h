/* SPDX-License-Identifier: MPL-2.0 */
/* A CD-ROM's file system (ISO 9660, ECMA-119) of a few files in its root, as text in memory. Pure. */
#ifndef CLOISTER_HVM_ISO_H
#define CLOISTER_HVM_ISO_H

#include <stddef.h>

#include "base/buf.h"

#define ISO_FILES 8
struct iso_file {
	const char *name; /* "META-DATA": Linux shows it in lower case */
	const void *data;
	size_t len;
};

/* files in the order of their names, ISO_FILES at most; label: 1 to 32 of A-Z 0-9 _. */
void iso_make(const char *label, const struct iso_file *files, size_t n, struct buf *out);

#endif
