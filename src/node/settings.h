/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_SETTINGS_H
#define CLOISTER_NODE_SETTINGS_H

#include "node/vm.h"

/* The lines of a record for the worker; *out NULL = none. free(). The cgroups are found (vm_need_cg). */
int settings_of(const struct vm *v, const json_t *rec, char **out, struct err *e);
/*
 * Puts them beside the running zone, and the worker takes them, or it failed. What is about processors and memory is from one record,
 * what is about I/O or the screen from others: an update changes one after the other.
 */
int settings_live(struct vm *v, const json_t *cpu, const json_t *io, const json_t *screen, struct err *e);

#endif
