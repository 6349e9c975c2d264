/* SPDX-License-Identifier: MPL-2.0 */
/* vmadm list and lookup: output as SmartOS's, to the byte. What they choose and show: node/vmquery.h. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "node/vmquery.h"

#define DEFAULT_COLUMNS "uuid,type,ram,state,alias"
#define DEFAULT_SORT    "ram,uuid"

struct opts {
	const char *columns, *sort;
	bool header, parsable, json, unique;
};

/* "-" stands for nothing in a table; in parsable output nothing is nothing. */
static void value_text(const struct vm_val *v, bool parsable, struct buf *out, unsigned width)
{
	_free_ char *json = NULL;
	char num[24];
	const char *s = parsable ? "" : "-";

	switch (v->kind) {
	case VAL_TEXT:
		if (*v->text)
			s = v->text;
		break;
	case VAL_NUM:
		snprintf(num, sizeof num, "%lld", (long long)v->num);
		s = num;
		break;
	case VAL_BOOL:
		s = v->num ? "true" : "false";
		break;
	case VAL_JSON:
		s = json = json_dumps(v->json, JSON_COMPACT);
		break;
	case VAL_NONE:
		break;
	}
	show_cell(out, s, width);
}

static void print_table(const struct vm_query *q, const struct opts *o)
{
	_buf_ struct buf line = BUF_INIT;
	size_t ncol = vm_query_ncolumns(q);
	const char *sep = o->parsable ? ":" : "  ", *name;
	unsigned width;

	for (size_t c = 0; o->header && c < ncol; c++) {
		const char *head = vm_query_header(q, c, &width, &name);

		buf_puts(&line, c ? sep : "");
		show_cell(&line, head, o->parsable ? 0 : width);
	}
	if (o->header) {
		show_trim(&line);
		puts(buf_str(&line));
	}
	for (size_t i = 0; i < vm_query_count(q); i++) {
		line.len = 0;
		for (size_t c = 0; c < ncol; c++) {
			vm_query_header(q, c, &width, &name);
			buf_puts(&line, c ? sep : "");
			value_text(vm_query_value(q, i, c), o->parsable, &line, o->parsable ? 0 : width);
		}
		if (!o->parsable)
			show_trim(&line);
		buf_add(&line, "\n", 1);
		fwrite(line.p, 1, line.len, stdout);
	}
}

static json_t *value_json(const struct vm_val *v)
{
	switch (v->kind) {
	case VAL_TEXT: return json_string(v->text);
	case VAL_NUM: return json_integer(v->num);
	case VAL_BOOL: return json_boolean(v->num);
	case VAL_JSON: return json_incref((json_t *)v->json);
	default: return NULL;
	}
}

/* An array of objects, what has no value left out; written one by one, for there may be thousands. */
static void print_json(const struct vm_query *q, bool whole)
{
	size_t n = vm_query_count(q);
	const char *name;
	unsigned width;

	fputs(n ? "[\n" : "[]\n", stdout);
	for (size_t i = 0; i < n; i++) {
		json_t *o = whole ? json_incref((json_t *)vm_query_object(q, i)) : json_object();

		for (size_t c = 0; !whole && c < vm_query_ncolumns(q); c++) {
			json_t *v = value_json(vm_query_value(q, i, c));

			vm_query_header(q, c, &width, &name);
			if (v)
				json_object_set_new(o, name, v);
		}
		show_dump(o, JSON_INDENT(2));
		fputs(i + 1 < n ? ",\n" : "\n]\n", stdout);
		json_decref(o);
	}
}

static int filters(struct vm_query *q, int argc, char **argv, struct err *e)
{
	int r = 0;

	for (int i = optind; r == 0 && i < argc; i++)
		r = vm_query_filter(q, argv[i], e);
	return r;
}

static int run_list(struct ctx *c, int argc, char **argv)
{
	static const struct option longs[] = {{"order", 1, NULL, 'o'},     {"sortby", 1, NULL, 's'}, {"parsable", 0, NULL, 'p'},
					      {"no-header", 0, NULL, 'H'}, {"json", 0, NULL, 'j'},   {NULL, 0, NULL, 0}};
	_clean_(vm_query_free) struct vm_query *q = vm_query_new();
	struct opts o = {.columns = DEFAULT_COLUMNS, .sort = DEFAULT_SORT, .header = true};
	struct err e = ERR_INIT;
	int ch, r;

	while ((ch = getopt_long(argc, argv, "o:s:Hpj", longs, NULL)) != -1) {
		switch (ch) {
		case 'o': o.columns = optarg; break;
		case 's': o.sort = optarg; break;
		case 'H': o.header = false; break;
		case 'p': o.parsable = true; break;
		case 'j': o.json = true; break;
		default: return cmd_usage("vmadm", argv[0], NULL);
		}
	}
	if (o.parsable)
		o.header = false;
	if (vm_query_columns(q, o.columns, &e) < 0 || vm_query_sort(q, o.sort, &e) < 0 || filters(q, argc, argv, &e) < 0)
		return cmd_usage("vmadm", argv[0], "%s", e.msg);
	r = vm_query_run(q, c, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	if (o.json)
		print_json(q, false);
	else
		print_table(q, &o);
	return r > 0;
}

static int run_lookup(struct ctx *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{"output", 1, NULL, 'o'}, {"unique", 0, NULL, '1'}, {"json", 0, NULL, 'j'}, {NULL, 0, NULL, 0}};
	_clean_(vm_query_free) struct vm_query *q = vm_query_new();
	struct opts o = {.columns = NULL};
	struct err e = ERR_INIT;
	int ch, r;

	while ((ch = getopt_long(argc, argv, "o:j1", longs, NULL)) != -1) {
		switch (ch) {
		case 'o': o.columns = optarg; break;
		case 'j': o.json = true; break;
		case '1': o.unique = true; break;
		default: return cmd_usage("vmadm", argv[0], NULL);
		}
	}
	if (o.columns && !o.json)
		return cmd_usage("vmadm", argv[0], "-o needs -j");
	if (o.columns && vm_query_columns(q, o.columns, &e) < 0)
		return cmd_usage("vmadm", argv[0], "%s", e.msg);
	if (filters(q, argc, argv, &e) < 0)
		return cmd_usage("vmadm", argv[0], "%s", e.msg);
	if (o.json && !o.columns)
		vm_query_whole(q);
	r = vm_query_run(q, c, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	if (o.unique && vm_query_count(q) != 1) {
		/* the words that SmartOS's tools look for at the start of the line */
		fprintf(stderr, "Requested unique lookup but found %zu results.\n", vm_query_count(q));
		return 1;
	}
	if (o.json)
		print_json(q, !o.columns);
	else
		for (size_t i = 0; i < vm_query_count(q); i++)
			puts(vm_query_uuid(q, i));
	return r > 0;
}

CMD(vmadm_list, "vmadm", "list", "[-Hpj] [-o field,...] [-s field,...] [field=value ...]",
    "list VMs; field=~regex matches, -s -field sorts downwards", CMD_NONE, run_list);
CMD(vmadm_lookup, "vmadm", "lookup", "[-1] [-j [-o field,...]] [field=value ...]",
    "print the uuids of VMs that match; -1 fails unless exactly one does", CMD_NONE, run_lookup);
