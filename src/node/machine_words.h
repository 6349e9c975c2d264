/* SPDX-License-Identifier: MPL-2.0 */
/* What a monitor says before it ends at once: it lies in the console log of its zone. */
#ifndef CLOISTER_NODE_MACHINE_WORDS_H
#define CLOISTER_NODE_MACHINE_WORDS_H

#include "node/vm.h"

#define MACHINE_WORDS 400 /* bytes */

/* What is there already is an earlier start's. */
void machine_words_begin(struct vm *v);
/* Its last complaint, which it begins with its name, or its last line; printable. Waits a second at most for who writes it down. */
void machine_words(const struct vm *v, char out[MACHINE_WORDS]);

#endif
