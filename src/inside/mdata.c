/* SPDX-License-Identifier: MPL-2.0 */
/* mdata-get, mdata-put, mdata-list, mdata-delete: exit status 0, 1 no such key, 2 it could not be done, 3 a wrong command line. */
#include "inside/mdata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

enum { NOT_FOUND = 1, FAILED = 2, USAGE = 3 };

static int fail(const char *name, const char *key, const struct buf *why, const struct err *e)
{
	fprintf(stderr, "%s: %s%s%s\n", name, key ?: "", key ? ": " : "", e->code ? e->msg : why->len ? buf_str(why) : "refused");
	return FAILED;
}

static int ask(const char *name, enum mdata_op op, const char *key, const void *value, size_t n, struct buf *out)
{
	enum mdata_status status;
	struct err e = ERR_INIT;

	if (mdata_call(op, key, value, n, &status, out, &e) < 0)
		return fail(name, key, out, &e);
	if (status == MDATA_NOTFOUND) {
		fprintf(stderr, "No metadata for '%s'\n", key ?: "");
		return NOT_FOUND;
	}
	return status == MDATA_SUCCESS ? 0 : fail(name, key, out, &e);
}

/* A line more where the value does not end one: it is for people and for $(…). */
static int print(const struct buf *b)
{
	if (b->len && (fwrite(b->p, 1, b->len, stdout) != b->len || (b->p[b->len - 1] != '\n' && putchar('\n') == EOF)))
		return FAILED;
	return fflush(stdout) == 0 ? 0 : FAILED;
}

static int get(int argc, char **argv)
{
	_buf_ struct buf out = BUF_INIT;
	int r = ask("mdata-get", MDATA_GET, argv[1], NULL, 0, &out);

	return r ? r : print(&out);
}

static int list(int argc, char **argv)
{
	_buf_ struct buf out = BUF_INIT;
	int r = ask("mdata-list", MDATA_KEYS, NULL, NULL, 0, &out);

	return r ? r : print(&out);
}

static int drop(int argc, char **argv)
{
	_buf_ struct buf out = BUF_INIT;

	return ask("mdata-delete", MDATA_DELETE, argv[1], NULL, 0, &out);
}

static int put(int argc, char **argv)
{
	_buf_ struct buf value = BUF_INIT, out = BUF_INIT;
	char chunk[4096];
	ssize_t n = 0;

	if (argc == 3)
		buf_puts(&value, argv[2]);
	while (argc == 2 && value.len <= MDATA_VALUE_MAX && (n = read(0, chunk, sizeof chunk)) > 0)
		buf_add(&value, chunk, (size_t)n);
	if (n < 0) {
		fprintf(stderr, "mdata-put: standard input: %s\n", strerror(errno));
		return FAILED;
	}
	if (value.len > MDATA_VALUE_MAX) {
		fprintf(stderr, "mdata-put: %s: a value is at most %u KiB\n", argv[1], MDATA_VALUE_MAX >> 10);
		return FAILED;
	}
	return ask("mdata-put", MDATA_PUT, argv[1], buf_str(&value), value.len, &out);
}

int mdata_tool(const char *name, int argc, char **argv)
{
	static const struct {
		const char *name, *synopsis;
		int min, max;
		int (*run)(int argc, char **argv);
	} tools[] = {
		{"mdata-get", "<key>", 2, 2, get},
		{"mdata-put", "<key> [<value>]", 2, 3, put},
		{"mdata-list", "", 1, 1, list},
		{"mdata-delete", "<key>", 2, 2, drop},
	};

	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		if (strcmp(tools[i].name, name) != 0)
			continue;
		if (argc >= tools[i].min && argc <= tools[i].max && (argc == 1 || mdata_key_ok(argv[1], strlen(argv[1]))))
			return tools[i].run(argc, argv);
		fprintf(stderr, "usage: %s %s\n", name, tools[i].synopsis);
		return USAGE;
	}
	return -1;
}
