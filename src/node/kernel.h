/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel that a machine starts with in place of what is on its disks, and its initrd: copies of files of the host, in the VM's folder
 * "config", where its record is, under names that have their sums. So a record has its kernel as long as there is one of the two, whatever becomes of the
 * files that were named, and of the disks by a rollback.
 */
#ifndef CLOISTER_NODE_KERNEL_H
#define CLOISTER_NODE_KERNEL_H

#include "node/vm.h"
#include "zone/spec.h"

/*
 * Files that the payload names are read, and their sums stand in rec then. old: the record before (NULL at create): what is not named is as it was. The file itself
 * is what is opened, as a CD-ROM's: a symbolic link is refused, and what is no kernel of rec's firmware.
 */
int kernel_check(struct ctx *c, const json_t *old, json_t *rec, const json_t *payload, struct err *e);
/* Of a record from elsewhere: the files are here, with those sums. -ENOENT, -ESTALE: they are not. */
int kernel_here(struct ctx *c, const json_t *rec, struct err *e);
/* Appends to changed (names of properties) those whose file has another content, and the same name; then rec is of that time. */
void kernel_changed(const json_t *old, json_t *rec, json_t *changed, const char *now_iso);

/* The copies that rec has, whichever are not there yet. Is its own undo with kernel_tidy() of the record before. */
int kernel_make(struct vm *v, const json_t *rec, struct err *e);
/* No others than rec's. */
int kernel_tidy(struct vm *v, const json_t *rec, struct err *e);

/* Its descriptors; the copies are there if the VM is. */
int kernel_spec(struct vm *v, void (*hand)(struct zspec *z, unsigned number, enum zfd_kind kind, const char *path), struct zspec *z, struct err *e);
/* What goes with a machine's state, and has to be the same where that goes on: {"kernel": sum, "initrd": sum, "args": text}. NULL: it has none. New reference. */
json_t *kernel_layout(const json_t *rec);
/* -ESTALE with what differs: the state is of a machine that was started with another kernel. */
int kernel_fits(const json_t *layout, const json_t *rec, struct err *e);
/* Whether what was started with that spec has what the record says. */
bool kernel_started_with(const struct vm *v, const struct zspec *z);

#endif
