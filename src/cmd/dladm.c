/* SPDX-License-Identifier: MPL-2.0 */
/* dladm's tables: columns, parseable output, links that were asked for. As illumos's dladm(8). */
#include "cmd/dladm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

int dl_state(struct ctx *c, int how, struct state **st)
{
	struct err e = ERR_INIT;
	int r = state_open(c, how, st, &e);

	return r < 0 && (how != STATE_READ || r != -ENOENT) ? cmd_fail(c, &e) : 0;
}

const char *dl_class(const struct link_view *v)
{
	static const char *const names[] = {[LINK_CLASS_PHYS] = "phys", [LINK_CLASS_ETHERSTUB] = "etherstub", [LINK_CLASS_VNIC] = "vnic"};

	return names[v->class];
}

/* ---- tables ---- */

static int pick(struct dl_table *t, const char *name, struct err *e)
{
	for (int i = 0; t->all[i].name; i++) {
		if (strcasecmp(t->all[i].name, name) != 0)
			continue;
		if (t->n == DL_COLUMNS)
			return err_set(e, E2BIG, "more than %d fields", DL_COLUMNS);
		t->pick[t->n++] = i;
		return 0;
	}
	return err_set(e, EINVAL, "unknown output field \"%s\"", name);
}

int dl_table_init(struct dl_table *t, const struct dl_column *all, const char *dflt, const char *fields, bool parse, struct err *e)
{
	_free_ char *copy = xstrdup(fields && strcasecmp(fields, "all") != 0 ? fields : dflt);
	char *save = NULL;
	int r = 0;

	*t = (struct dl_table){.all = all, .parse = parse};
	if (parse && !fields)
		return err_set(e, EINVAL, "-p needs -o");
	if (parse && strcasecmp(fields, "all") == 0)
		return err_set(e, EINVAL, "-p needs the fields by name");
	if (fields && !parse && strcasecmp(fields, "all") == 0) {
		for (int i = 0; all[i].name; i++)
			t->pick[t->n++] = i;
		return 0;
	}
	for (char *f = strtok_r(copy, ",", &save); f && r == 0; f = strtok_r(NULL, ",", &save))
		r = pick(t, f, e);
	return r == 0 && t->n == 0 ? err_set(e, EINVAL, "-o names no field") : r;
}

void dl_table_head(struct dl_table *t, struct buf *out)
{
	t->headed = true;
	if (t->parse)
		return;
	for (int i = 0; i < t->n; i++) {
		char up[32];
		size_t k = 0;

		for (const char *p = t->all[t->pick[i]].name; *p && k < sizeof up - 1; p++)
			up[k++] = (char)toupper((unsigned char)*p);
		up[k] = 0;
		show_cell(out, up, i == t->n - 1 ? 0 : (unsigned)t->all[t->pick[i]].width);
		if (i < t->n - 1)
			buf_puts(out, " ");
	}
	buf_puts(out, "\n");
}

/* One field alone is as it is; of several, the separator and its escape are escaped. */
static void escaped(struct buf *out, const char *s, bool alone)
{
	for (; *s; s++) {
		if (!alone && (*s == ':' || *s == '\\'))
			buf_puts(out, "\\");
		buf_add(out, s, 1);
	}
}

void dl_table_row(struct dl_table *t, const char *const *value, struct buf *out)
{
	if (!t->headed)
		dl_table_head(t, out);
	for (int i = 0; i < t->n; i++) {
		const char *s = value[t->pick[i]];

		if (t->parse) {
			if (i)
				buf_puts(out, ":");
			escaped(out, s ?: "", t->n == 1);
			continue;
		}
		show_cell(out, s && *s ? s : "--", i == t->n - 1 ? 0 : (unsigned)t->all[t->pick[i]].width);
		if (i < t->n - 1)
			buf_puts(out, " ");
	}
	buf_puts(out, "\n");
}

/* ---- links ---- */

static bool zone_wanted(const struct dl_links *l, const struct link_view *v)
{
	const char *p = l->zones;

	while (p) {
		size_t n = strcspn(p, ",");

		if ((n == strlen(v->zone) && !strncmp(p, v->zone, n)) || (n == strlen(v->uuid) && n && !strncmp(p, v->uuid, n)))
			return true;
		p = p[n] ? p + n + 1 : NULL;
	}
	return !l->zones;
}

static int see(const struct link_view *v, void *arg)
{
	struct dl_links *l = arg;

	if ((l->vnics && v->class != LINK_CLASS_VNIC) || (l->stubs && v->class != LINK_CLASS_ETHERSTUB) || (l->name && !str_eq(l->name, v->name)) ||
	    !zone_wanted(l, v))
		return 0;
	l->v = xrealloc(l->v, (l->n + 1) * sizeof *l->v);
	l->v[l->n++] = *v;
	return 0;
}

/* The host's own first, then zone by zone. */
static int order(const void *a, const void *b)
{
	const struct link_view *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	if (x->zoneid != y->zoneid)
		return x->zoneid < y->zoneid ? -1 : 1;
	return strverscmp(x->name, y->name);
}

int dl_links_read(struct ctx *c, struct state *st, struct dl_links *l, struct err *e)
{
	int r = links_each(c, st, see, l, e);

	if (r < 0)
		return r;
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, order);
	return l->name && l->n == 0 ? err_set(e, ENOENT, "link %s does not exist", l->name) : 0;
}

void dl_links_done(struct dl_links *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

int dl_link_one(struct ctx *c, struct state *st, const char *name, const char *zone, struct link_view *out, struct err *e)
{
	_clean_(dl_links_done) struct dl_links l = {.name = name, .zones = zone};
	int r = dl_links_read(c, st, &l, e);

	if (r < 0)
		return r;
	if (l.n > 1) {
		err_set(e, ENOTUNIQ, "%zu zones have a link %s", l.n, name);
		return err_hint(e, "Say which with -z <zone>; `dladm show-link -Z` lists them.");
	}
	*out = l.v[0];
	return 0;
}
