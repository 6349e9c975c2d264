/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/imgadm.h"
#include "cmd/show.h"

enum { COLS_MAX = 32 };

static const struct col {
	const char *name, *head;
	unsigned width;
} cols[] = {
	{"uuid", "UUID", 36}, {"name", "NAME", 18}, {"version", "VERSION", 12}, {"os", "OS", 7}, {"type", "TYPE", 12}, {"pub", "PUB", 10},
	{"published", "PUBLISHED", 20}, {"published_date", "PUB", 10}, {"published_at", "PUBLISHED_AT", 24}, {"owner", "OWNER", 36},
	{"origin", "ORIGIN", 36}, {"state", "STATE", 8}, {"public", "PUBLIC", 6}, {"description", "DESCRIPTION", 40},
	{"size", "SIZE", 10}, {"urn", "URN", 40}, {"disabled", "DISABLED", 8},
};

struct list {
	const struct col *col[COLS_MAX];
	size_t ncol;
	char *const *filter;
	int nfilter;
	bool head, json, parsable;
	const char *sort;
	json_t *out; /* manifests that pass */
};

static void value(const json_t *m, const char *name, struct buf *b)
{
	const char *pub = json_string_value(json_object_get(m, "published_at"));
	const json_t *v = json_object_get(m, name);

	if (str_eq(name, "pub") || str_eq(name, "published_date")) {
		buf_printf(b, "%.10s", pub ? pub : "-");
	} else if (str_eq(name, "published")) {
		buf_printf(b, "%.19s%s", pub ? pub : "-", pub ? "Z" : "");
	} else if (str_eq(name, "urn")) {
		value(m, "name", b);
		buf_puts(b, ":");
		value(m, "version", b);
	} else if (str_eq(name, "size")) {
		v = json_object_get(json_array_get(json_object_get(m, "files"), 0), "size");
		if (v)
			buf_printf(b, "%lld", (long long)json_integer_value(v));
		else
			buf_puts(b, "-");
	} else if (json_is_string(v)) {
		buf_puts(b, json_string_value(v));
	} else if (json_is_integer(v)) {
		buf_printf(b, "%lld", (long long)json_integer_value(v));
	} else if (json_is_boolean(v)) {
		buf_puts(b, json_is_true(v) ? "true" : "false");
	} else {
		buf_puts(b, "-");
	}
}

/* "type=lx-dataset", "name=~deb" (contains), "tags.x=1" */
static bool passes(const json_t *m, const char *filter)
{
	const char *eq = strchr(filter, '=');
	_free_ char *key = xprintf("%.*s", (int)(eq - filter), filter);
	_buf_ struct buf b = BUF_INIT;

	if (str_starts(key, "tags."))
		value(json_object_get(m, "tags"), key + 5, &b);
	else
		value(m, key, &b);
	return eq[1] == '~' ? strstr(buf_str(&b), eq + 2) != NULL : !strcmp(buf_str(&b), eq + 1);
}

static int each(const char *uuid, const char *istate, const char *manifest, void *arg)
{
	struct list *l = arg;
	json_t *m;

	if (strcmp(istate, "active"))
		return 0;
	m = json_loads(manifest, 0, NULL);
	for (int i = 0; m && i < l->nfilter; i++)
		if (!passes(m, l->filter[i])) {
			json_decref(m);
			return 0;
		}
	if (m)
		json_array_append_new(l->out, m);
	return 0;
}

static void row(const struct list *l, const json_t *m)
{
	for (size_t i = 0; i < l->ncol; i++) {
		_buf_ struct buf raw = BUF_INIT, b = BUF_INIT;

		value(m, l->col[i]->name, &raw);
		show_add(&b, buf_str(&raw)); /* a manifest is somebody else's text */
		if (l->parsable) {
			for (const char *s = buf_str(&b); *s; s++) {
				if (*s == ':' || *s == '\\')
					putchar('\\');
				putchar(*s);
			}
			putchar(i + 1 < l->ncol ? ':' : '\n');
		} else if (i + 1 < l->ncol) {
			printf("%-*s  ", (int)l->col[i]->width, buf_str(&b));
		} else {
			printf("%s\n", buf_str(&b));
		}
	}
}

static void print(const struct ctx *c, const struct list *l)
{
	const json_t *m;
	size_t i;

	if (l->json) {
		json_t *all = json_array();

		json_array_foreach(l->out, i, m)
			json_array_append_new(all, json_pack("{s:O s:s}", "manifest", (json_t *)(uintptr_t)m, "zpool", "zones"));
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
		return;
	}
	if (l->head && !l->parsable)
		for (i = 0; i < l->ncol; i++)
			printf(i + 1 < l->ncol ? "%-*s  " : "%.*s\n", i + 1 < l->ncol ? (int)l->col[i]->width : 99, l->col[i]->head);
	json_array_foreach(l->out, i, m)
		row(l, m);
}

static int by_key(const json_t *a, const json_t *b, const char *key)
{
	_buf_ struct buf x = BUF_INIT, y = BUF_INIT;

	value(a, key, &x);
	value(b, key, &y);
	return strcmp(buf_str(&x), buf_str(&y));
}

/* A stable insertion sort: there are few images. */
static void sort(struct list *l)
{
	for (size_t i = 1; i < json_array_size(l->out); i++) {
		json_t *m = json_incref(json_array_get(l->out, i));
		size_t k = i;

		while (k > 0 && by_key(json_array_get(l->out, k - 1), m, l->sort) > 0) {
			json_array_set(l->out, k, json_array_get(l->out, k - 1));
			k--;
		}
		json_array_set_new(l->out, k, m);
	}
}

static int columns(struct list *l, const char *text)
{
	_free_ char *copy = xstrdup(text);

	l->ncol = 0;
	for (char *save = NULL, *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(cols) && strcmp(cols[i].name, w); i++)
			;
		if (i == ARRAY_LEN(cols) || l->ncol == COLS_MAX)
			return cmd_usage("imgadm", "list", "no column \"%s\"", w);
		l->col[l->ncol++] = &cols[i];
	}
	return 0;
}

static int list(struct ctx *c, int argc, char **argv)
{
	struct list l = {.head = true, .sort = "published_at"};
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	const char *want = "uuid,name,version,os,type,pub";
	int o, r;

	while ((o = getopt(argc, argv, "+Hjpo:s:P:")) != -1) {
		switch (o) {
		case 'H':
			l.head = false;
			break;
		case 'j':
			l.json = true;
			break;
		case 'p':
			l.parsable = true;
			break;
		case 'o':
			want = optarg;
			break;
		case 's':
			l.sort = optarg;
			break;
		case 'P':
			if (strcmp(optarg, "zones"))
				return cmd_usage("imgadm", "list", "the pool is named \"zones\"");
			break;
		default:
			return cmd_usage("imgadm", "list", NULL);
		}
	}
	l.filter = argv + optind;
	l.nfilter = argc - optind;
	for (int i = 0; i < l.nfilter; i++)
		if (!strchr(l.filter[i], '='))
			return cmd_usage("imgadm", "list", "\"%s\" is not FIELD=VALUE", l.filter[i]);
	r = columns(&l, want);
	if (r)
		return r;
	r = imgadm_open(c, STATE_READ, false, &im, &e);
	if (r < 0)
		return cmd_fail(c, &e);
	l.out = json_array();
	if (im.st)
		r = state_image_each(im.st, each, &l, &e);
	if (r >= 0) {
		sort(&l);
		print(c, &l);
	}
	json_decref(l.out);
	imgadm_close(&im);
	return r < 0 ? cmd_fail(c, &e) : 0;
}

/* get: {manifest, zpool}; show: the manifest alone. */
static int show(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct image i = IMAGE_INIT;
	struct err e = ERR_INIT;
	char uuid[37];
	bool get = !strcmp(cmd_verb(argv[0]), "get");
	json_t *out;
	int r;

	if (argc == 4 && get && !strcmp(argv[1], "-P") && !strcmp(argv[2], "zones"))
		argc -= 2, argv += 2;
	if (argc != 2 || *argv[1] == '-')
		return cmd_usage("imgadm", get ? "get" : "show", NULL);
	r = imgadm_open(c, STATE_READ, false, &im, &e);
	if (r == 0)
		r = imgadm_find(im.st, argv[1], uuid, &e);
	if (r == 0)
		r = image_get(c, im.st, uuid, NULL, &i, &e);
	if (r == 0) {
		out = get ? json_pack("{s:O s:s}", "manifest", i.manifest, "zpool", "zones") : json_incref(i.manifest);
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(out);
	}
	image_done(&i);
	imgadm_close(&im);
	return r < 0 ? imgadm_fail(c, &e) : 0;
}

static int ancestry(struct ctx *c, int argc, char **argv)
{
	struct imgadm im = {NULL, NULL};
	struct err e = ERR_INIT;
	char uuid[37];
	int r, depth = 0;

	if (argc != 2 || *argv[1] == '-')
		return cmd_usage("imgadm", "ancestry", NULL);
	r = imgadm_open(c, STATE_READ, false, &im, &e);
	if (r == 0)
		r = imgadm_find(im.st, argv[1], uuid, &e);
	if (r == 0)
		printf("%-36s  %-18s  %s\n", "UUID", "NAME", "VERSION");
	while (r == 0 && depth++ < 100) {
		struct image i = IMAGE_INIT;
		const char *origin;

		r = image_get(c, im.st, uuid, NULL, &i, &e);
		if (r < 0)
			break;
		printf("%-36s  %-18s  %s\n", uuid, json_string_value(json_object_get(i.manifest, "name")),
		       json_string_value(json_object_get(i.manifest, "version")));
		origin = json_string_value(json_object_get(i.manifest, "origin"));
		if (origin)
			snprintf(uuid, sizeof uuid, "%s", origin);
		image_done(&i);
		if (!origin)
			break;
	}
	imgadm_close(&im);
	return r < 0 ? imgadm_fail(c, &e) : 0;
}

CMD(imgadm_list, "imgadm", "list", "[-Hjp] [-o COL,...] [-s COL] [FIELD=VALUE|FIELD=~PART ...]", "installed images", CMD_NONE, list);
CMD(imgadm_get, "imgadm", "get", "<uuid>", "print an installed image as JSON", CMD_IMAGE, show);
CMD(imgadm_show, "imgadm", "show", "<uuid>", "print an image's manifest", CMD_IMAGE, show);
CMD(imgadm_ancestry, "imgadm", "ancestry", "<uuid>", "an image and the images it was made from", CMD_IMAGE, ancestry);
