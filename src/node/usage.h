/* SPDX-License-Identifier: MPL-2.0 */
/* What zones and the host have used, hour by hour, out of the files of zone/usage.h. */
#ifndef CLOISTER_NODE_USAGE_H
#define CLOISTER_NODE_USAGE_H

#include "base/ctx.h"
#include "zone/usage.h"

/* One zone's hour, or the host's (uuid ""). Areas are bytes × seconds. */
struct usage_row {
	char uuid[37];
	uint64_t first; /* as in struct usage_rec: with the hour, which row it is */
	uint64_t hour;  /* seconds of 1970 */
	uint64_t used[UC_COUNT];
	double area[UG_COUNT];
	uint64_t ms;
	uint32_t known; /* as in struct usage_rec */
};

struct usage_table {
	struct usage_row *row; /* by hour, in an hour by uuid: the host first */
	size_t n, cap;
};

/* Takes a sample of all VMs, running or not, and of the host; folds the files of VMs that are no more into one. */
int usage_now(const struct ctx *c, struct err *e);
struct vm;
/*
 * A VM under the hands of an operation, which does not run: its dataset until now. To be called before it is started, or its
 * dataset changed or destroyed.
 */
void usage_vm_stopped(const struct vm *v);
/* A VM is about to be made: what one of that uuid had used before it is folded, and the time between the two is nobody's. */
void usage_vm_new(const struct ctx *c, const char *uuid);
struct state;
int usage_fold(const struct ctx *c, struct state *st, struct err *e);
/* All rows of hours in [from, to). */
int usage_load(const struct ctx *c, uint64_t from, uint64_t to, struct usage_table *out, struct err *e);
void usage_table_done(struct usage_table *t);
/* Adds the rows that are records' into a table, of which each counts once: records in any order. Pure. */
void usage_rows(const struct usage_rec *r, size_t n, uint64_t from, uint64_t to, struct usage_table *out);
/* Adds those of more that t has not. Pure. */
void usage_rows_add(struct usage_table *t, const struct usage_table *more);

#endif
