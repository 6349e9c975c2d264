/* SPDX-License-Identifier: MPL-2.0 */
/* Capabilities of a zone's root within its own user namespace, and SmartOS's limit_priv words mapped onto them. */
#ifndef CLOISTER_KERN_CAPS_H
#define CLOISTER_KERN_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Default bounding set of a zone (bit n = capability n). */
uint64_t caps_default(void);
/*
 * limit_priv ("default", "default,dtrace_user", "default,!proc_info", a Linux name "sys_nice") → bounding set and the
 * words for seccomp_build(). -EINVAL names the word that is not known, -ENOTSUP one that can't be granted on Linux.
 */
int caps_from_limit_priv(const char *const *word, size_t n, uint64_t *bounding, uint64_t *seccomp_words, struct err *e);
/* One word of limit_priv, for the manual page. */
enum caps_how { CAPS_DEFAULT, CAPS_OPTIONAL, CAPS_REQUIRED, CAPS_NEVER, CAPS_FIXED };
struct caps_word {
	const char *name;
	enum caps_how how;    /* there unless taken away, may be added, always there, can't be given, can't be taken away */
	bool native;          /* a capability by its Linux name */
	uint64_t caps;        /* what it is on Linux */
	const char *reason;   /* of NEVER and FIXED, else NULL */
};
/* Word n, from 0; false behind the last. */
bool caps_word(size_t n, struct caps_word *out);
const char *caps_name(unsigned cap); /* "chown"; NULL for a number that is none */
/* Drops everything outside keep from the bounding, permitted, effective, inheritable and ambient sets of this thread. */
int caps_limit(uint64_t keep, struct err *e);

#endif
