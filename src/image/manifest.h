/* SPDX-License-Identifier: MPL-2.0 */
/* Image manifests (version 2) as outside input: pure, no I/O. */
#ifndef CLOISTER_IMAGE_MANIFEST_H
#define CLOISTER_IMAGE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define MANIFEST_MAX (1u << 20) /* bytes */

/* Text to a checked manifest (new reference): all that is required is there and of its type; unknown members stay. */
int manifest_parse(const char *text, size_t n, json_t **out, struct err *e);
/* A manifest of ours. description may be NULL. */
json_t *manifest_make(const char *uuid, const char *name, const char *version, const char *type, const char *published,
		      const char *description);
bool manifest_type_ok(const char *type);
/* 0 if a VM of this brand can have an image of this type; else -EINVAL with the brands that can. */
int manifest_suits(const json_t *m, const char *brand, struct err *e);
/* String member, NULL if absent. */
const char *manifest_str(const json_t *m, const char *key);
/* Reads an image's name out of what os-release(5) says: value of `key` into out, unquoted. 0 or -ENOENT. */
int os_release_value(const char *text, const char *key, char *out, size_t n);

#endif
