/* SPDX-License-Identifier: MPL-2.0 */
/* Private to bootstrap: what apt's own configuration says. Pure. */
#ifndef CLOISTER_IMAGE_BOOTSTRAP_H
#define CLOISTER_IMAGE_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The first address in an apt source list (one-line or deb822, told by deb822) that serves `suite` with component
 * main. 0 or -ENOENT.
 */
int apt_mirror(const char *text, bool deb822, const char *suite, char *out, size_t n);
/* Names that reach a command line: a suite, a package list. */
bool apt_word_ok(const char *s, const char *extra);

#endif
