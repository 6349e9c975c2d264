/* SPDX-License-Identifier: MPL-2.0 */
/* What the verbs of dladm share: columns, picking of links, tables as illumos prints them. */
#ifndef CLOISTER_CMD_DLADM_H
#define CLOISTER_CMD_DLADM_H

#include "base/buf.h"
#include "node/links.h"

#define DL_COLUMNS 16

struct dl_column {
	const char *name; /* lower case */
	int width;
};

/* A table: which columns (of all, ended by a NULL name), and how. */
struct dl_table {
	const struct dl_column *all;
	int pick[DL_COLUMNS];
	int n;
	bool parse;
	bool headed;
};
/* fields: "link,mtu", "all", NULL = the default ones. -EINVAL names one that is not known. parse needs fields. */
int dl_table_init(struct dl_table *t, const struct dl_column *all, const char *dflt, const char *fields, bool parse, struct err *e);
/* One line, by the numbers of the columns; NULL is none: "--", or nothing for programs. The head goes before the first. */
void dl_table_row(struct dl_table *t, const char *const *value, struct buf *out);
void dl_table_head(struct dl_table *t, struct buf *out);

/* Links, as one walk found them. */
struct dl_links {
	struct link_view *v;
	size_t n;
	const char *name;  /* only this one; NULL: all */
	const char *zones; /* only of these zones, "a,b"; NULL: all */
	bool vnics, stubs; /* only of these classes */
};
int dl_links_read(struct ctx *c, struct state *st, struct dl_links *l, struct err *e);
void dl_links_done(struct dl_links *l);
/* The one link of that name: -ENOENT, -ENOTUNIQ (of several zones, and none was named). */
int dl_link_one(struct ctx *c, struct state *st, const char *name, const char *zone, struct link_view *out, struct err *e);
/* NULL of a node without a database. 0, or the exit status. */
int dl_state(struct ctx *c, int how, struct state **st);
const char *dl_class(const struct link_view *v);

#endif
