/* SPDX-License-Identifier: MPL-2.0 */
/* Inside of spec.c, spec_mounts.c and spec_init.c. */
#ifndef CLOISTER_NODE_SPEC_IN_H
#define CLOISTER_NODE_SPEC_IN_H

#include "node/vm.h"

/* Appends s, which it takes over, to a list that ends with NULL. */
void spec_word(char ***list, unsigned *n, char *s);
void spec_env(struct zspec *z, unsigned *n, const char *name, const char *value);
/* A file that the zone finds at its boot; path and text: zspec.files. text is taken over. */
void spec_file(struct zspec *z, const char *path, unsigned mode, char *text);
int spec_mounts(const struct vm *v, struct zspec *z, struct err *e);
int spec_init(struct vm *v, struct zspec *z, struct err *e);

#endif
