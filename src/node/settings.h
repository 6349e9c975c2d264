/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_NODE_SETTINGS_H
#define CLOISTER_NODE_SETTINGS_H

#include "node/vm.h"

/* The lines of a record for the worker; NULL = none. free(). The cgroups are found (vm_need_cg). */
char *settings_of(const struct vm *v, const json_t *rec);
/* Puts them beside the running zone, and the worker takes them, or it failed. */
int settings_live(struct vm *v, const json_t *rec, struct err *e);

#endif
