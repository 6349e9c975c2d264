/* SPDX-License-Identifier: MPL-2.0 */
/* Inside of vmquery.c and vmquery_run.c. */
#ifndef CLOISTER_NODE_VMQUERY_IN_H
#define CLOISTER_NODE_VMQUERY_IN_H

#include <regex.h>

#include "node/vmfield.h"
#include "node/vmquery.h"
#include "state/state.h"
#include "store/store.h"
#include "zone/zone.h"

#define QUERY_FIELDS 64
#define CHUNK        65536

struct filter {
	unsigned field;
	bool regex;
	regex_t re;
	char *want;
};

struct sort_by {
	unsigned field;
	bool down;
};

struct chunk { /* strings of the result, one after the other */
	struct chunk *next;
	size_t used, size;
	char p[];
};

struct up {
	char uuid[37];
	struct zone_run run;
};

struct hit {
	char uuid[37];
	json_t *rec, *live, *whole;
	struct vm_val val[]; /* one for each field of the query */
};

struct vm_query {
	struct vm_field fields[QUERY_FIELDS]; /* each once, whatever it is for */
	unsigned columns[QUERY_FIELDS];
	struct sort_by sorts[QUERY_FIELDS];
	struct filter filters[QUERY_FIELDS];
	size_t nfields, ncolumns, nsorts, nfilters;
	bool whole;
	char *server_uuid;
	struct up *up; /* sorted by uuid */
	size_t nup, upcap, at;
	struct hit **vms;
	size_t nvms;
	struct chunk *text;
};

struct gather {
	struct vm_query *q;
	struct ctx *c;
	struct store *store;
	uint64_t now;
	bool need[4]; /* by enum vm_source */
	bool server;  /* server_uuid is asked for */
	bool wide;    /* of the columns that STATE_SLIM leaves out */
	unsigned parts, damaged;
	size_t cap;
	struct err *e;
};

/* "" for none and for objects. */
const char *val_text(const struct vm_val *v, char num[24]);

#endif
