/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What list and lookup do: choose VMs by filters, take fields of each, sort. One walk of the database and one scan of
 * what runs; a VM's JSON is parsed only when a field or filter needs it, and a filter on a column decides before that.
 */
#ifndef CLOISTER_NODE_VMQUERY_H
#define CLOISTER_NODE_VMQUERY_H

#include <jansson.h>
#include <stdint.h>

#include "base/ctx.h"

struct vm_query;

/* One value. Strings and JSON belong to the query. */
struct vm_val {
	enum { VAL_NONE, VAL_TEXT, VAL_NUM, VAL_BOOL, VAL_JSON } kind;
	int64_t num;
	const char *text;
	const json_t *json;
};

struct vm_query *vm_query_new(void);
void vm_query_free(struct vm_query **q); /* NULL is fine */
/* Comma lists, added in order: "uuid,tags.role"; "ram,-alias". -EINVAL for a field that no VM has. */
int vm_query_columns(struct vm_query *q, const char *list, struct err *e);
int vm_query_sort(struct vm_query *q, const char *list, struct err *e);
/* "field=value" or "field=~regex" (extended, case does not matter); all of them have to match. */
int vm_query_filter(struct vm_query *q, const char *text, struct err *e);
void vm_query_whole(struct vm_query *q); /* each VM's complete object too */

/*
 * Fills the result. 0, or the number of VMs whose record is damaged: each is warned of by name in the log, and what the
 * database's columns and the kernel say of it is there all the same. A node without VMs is an empty result.
 */
int vm_query_run(struct vm_query *q, struct ctx *c, struct err *e);

size_t vm_query_count(const struct vm_query *q);
size_t vm_query_ncolumns(const struct vm_query *q);
const char *vm_query_header(const struct vm_query *q, size_t col, unsigned *width, const char **name);
const struct vm_val *vm_query_value(const struct vm_query *q, size_t vm, size_t col);
const char *vm_query_uuid(const struct vm_query *q, size_t vm);
const json_t *vm_query_object(const struct vm_query *q, size_t vm); /* after vm_query_whole() */

#endif
