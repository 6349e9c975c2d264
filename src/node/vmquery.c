/* SPDX-License-Identifier: MPL-2.0 */
#include "node/vmquery.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "node/vmfield.h"
#include "node/vmquery_in.h"

struct vm_query *vm_query_new(void)
{
	return xalloc(sizeof(struct vm_query));
}

void vm_query_free(struct vm_query **qp)
{
	struct vm_query *q = *qp;

	if (!q)
		return;
	for (size_t i = 0; i < q->nvms; i++) {
		json_decref(q->vms[i]->whole);
		json_decref(q->vms[i]->rec);
		json_decref(q->vms[i]->live);
		free(q->vms[i]);
	}
	for (size_t i = 0; i < q->nfields; i++)
		vm_field_done(&q->fields[i]);
	for (size_t i = 0; i < q->nfilters; i++) {
		if (q->filters[i].regex)
			regfree(&q->filters[i].re);
		free(q->filters[i].want);
	}
	for (struct chunk *k = q->text, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	free(q->vms);
	free(q->up);
	free(q->server_uuid);
	free(q);
	*qp = NULL;
}

/* The field's number, added if it is new. */
static int field(struct vm_query *q, const char *name, bool many, struct err *e)
{
	struct vm_field f;
	int r;

	for (size_t i = 0; i < q->nfields; i++)
		if (!strcmp(q->fields[i].name, name))
			return (int)i;
	if (q->nfields == QUERY_FIELDS)
		return err_set(e, E2BIG, "more than %d fields", QUERY_FIELDS);
	r = vm_field_make(name, many, &f, e);
	if (r < 0)
		return r;
	q->fields[q->nfields] = f;
	return (int)q->nfields++;
}

/* Calls add for each word of a comma list. */
static int words(struct vm_query *q, const char *list, int (*add)(struct vm_query *, const char *, struct err *), struct err *e)
{
	_free_ char *copy = xstrdup(list);
	char *rest = copy, *word;
	int r = 0;

	while (r >= 0 && (word = strsep(&rest, ",")))
		r = *word ? add(q, word, e) : err_set(e, EINVAL, "a field without a name in \"%.64s\"", list);
	return r < 0 ? r : 0;
}

static int add_column(struct vm_query *q, const char *word, struct err *e)
{
	int i;

	if (strstr(word, ".*"))
		return vm_field_make(word, false, &(struct vm_field){0}, e);
	i = field(q, word, false, e);
	if (i < 0)
		return i;
	if (q->ncolumns == QUERY_FIELDS)
		return err_set(e, E2BIG, "more than %d columns", QUERY_FIELDS);
	q->columns[q->ncolumns++] = (unsigned)i;
	return 0;
}

static int add_sort(struct vm_query *q, const char *word, struct err *e)
{
	bool down = *word == '-';
	int i;

	if (*word == '-' || *word == '+')
		word++;
	if (strstr(word, ".*"))
		return vm_field_make(word, false, &(struct vm_field){0}, e);
	i = field(q, word, false, e);
	if (i < 0)
		return i;
	if (q->nsorts == QUERY_FIELDS)
		return err_set(e, E2BIG, "more than %d fields to sort by", QUERY_FIELDS);
	q->sorts[q->nsorts++] = (struct sort_by){(unsigned)i, down};
	return 0;
}

int vm_query_columns(struct vm_query *q, const char *list, struct err *e)
{
	return words(q, list, add_column, e);
}

int vm_query_sort(struct vm_query *q, const char *list, struct err *e)
{
	return words(q, list, add_sort, e);
}

int vm_query_filter(struct vm_query *q, const char *text, struct err *e)
{
	const char *eq = strchr(text, '=');
	_free_ char *name = eq ? xprintf("%.*s", (int)(eq - text), text) : NULL;
	struct filter f = {.regex = false};
	char why[128];
	int i, r;

	if (!eq || eq == text)
		return err_set(e, EINVAL, "\"%.64s\" is not field=value", text);
	if (q->nfilters == QUERY_FIELDS)
		return err_set(e, E2BIG, "more than %d filters", QUERY_FIELDS);
	i = field(q, name, true, e);
	if (i < 0)
		return i;
	f.field = (unsigned)i;
	if (eq[1] == '~') {
		r = regcomp(&f.re, eq + 2, REG_EXTENDED | REG_ICASE | REG_NOSUB);
		if (r != 0) {
			regerror(r, &f.re, why, sizeof why);
			return err_set(e, EINVAL, "%s: \"%.64s\" is not a regular expression: %s", name, eq + 2, why);
		}
		f.regex = true;
	} else {
		f.want = xstrdup(eq + 1);
	}
	q->filters[q->nfilters++] = f;
	return 0;
}

void vm_query_whole(struct vm_query *q)
{
	q->whole = true;
}

/* ---- the result ---- */

size_t vm_query_count(const struct vm_query *q)
{
	return q->nvms;
}

size_t vm_query_ncolumns(const struct vm_query *q)
{
	return q->ncolumns;
}

const char *vm_query_header(const struct vm_query *q, size_t col, unsigned *width, const char **name)
{
	const struct vm_field *f = &q->fields[q->columns[col]];

	*width = f->width;
	*name = f->name;
	return f->header;
}

const struct vm_val *vm_query_value(const struct vm_query *q, size_t vm, size_t col)
{
	return &q->vms[vm]->val[q->columns[col]];
}

const char *vm_query_uuid(const struct vm_query *q, size_t vm)
{
	return q->vms[vm]->uuid;
}

const json_t *vm_query_object(const struct vm_query *q, size_t vm)
{
	return q->vms[vm]->whole;
}
