/* SPDX-License-Identifier: MPL-2.0 */
/* What the records of all VMs, running or not, say of an address or a path. */
#ifndef CLOISTER_CMD_WHOSE_RECORD_H
#define CLOISTER_CMD_WHOSE_RECORD_H

#include "base/ctx.h"
#include "kern/netdiag.h"

struct whose_record {
	const char *uuid, *name; /* its alias, else its zonename */
	const char *what, *where;
};

/* path (absolute, without links), or NULL: want of NET_LINK or NET_ADDR. */
int whose_records(struct ctx *c, enum net_kind k, const struct net_item *want, const char *path,
		  void (*each)(const struct whose_record *, void *arg), void *arg, struct err *e);

/* An absolute path without empty components and "."; the caller frees it. Looks at no file. */
char *whose_path_tidy(const char *path);
/* Such a one is below the pool's folder: links there are zones'. */
bool whose_path_in_pool(const struct ctx *c, const char *tidy);

#endif
