/* SPDX-License-Identifier: MPL-2.0 */
/* The fields that list and lookup show, sort by and filter on: which there are, how wide, and what each costs. Pure. */
#ifndef CLOISTER_NODE_VMFIELD_H
#define CLOISTER_NODE_VMFIELD_H

#include <stdbool.h>

#include "base/err.h"

/* What a field is made from; the cheapest first. */
enum vm_source {
	SRC_ROW,    /* a column of the database */
	SRC_RUN,    /* the scan of what runs */
	SRC_LIVE,   /* files of the VM: exit status, snapshots */
	SRC_RECORD, /* its JSON */
};

/* Fields that need no JSON. */
enum vm_col {
	COL_NONE, COL_UUID, COL_ALIAS, COL_BRAND, COL_OWNER, COL_TYPE, COL_ZONENAME, COL_IMAGE, COL_RAM, COL_QUOTA, COL_CPU_CAP,
	COL_CPU_SHARES, COL_MAX_LWPS, COL_AUTOBOOT, COL_HVM, COL_ZONEPATH, COL_SERVER, COL_CREATED,
	COL_STATE, COL_ZONE_STATE, COL_PID, COL_ZONEID, COL_BOOTED,
};

struct vm_field {
	char *name;     /* owned: as it was asked for */
	char *header;   /* owned: upper case */
	unsigned width; /* of the column; a longer value is not cut */
	enum vm_source src;
	enum vm_col col;
	unsigned parts; /* SRC_LIVE: LIVE_x of vmlive.h */
};

/*
 * many: whether "nics.*.ip" is fine (a filter). -EINVAL for a name that no VM has, with the nearest in the message.
 * vm_field_done() frees what is inside.
 */
int vm_field_make(const char *name, bool many, struct vm_field *f, struct err *e);
void vm_field_done(struct vm_field *f);

#endif
