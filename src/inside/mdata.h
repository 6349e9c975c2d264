/* SPDX-License-Identifier: MPL-2.0 */
/* mdata-get and its like, as a zone and a guest have them; and what runs a VM's scripts when it boots. */
#ifndef CLOISTER_INSIDE_MDATA_H
#define CLOISTER_INSIDE_MDATA_H

#include "base/err.h"
#include "mdata/proto.h"

/*
 * Asks the service: its socket, or in a guest the second serial port, which is ours alone meanwhile. out: what came with the answer.
 * -ETIME: there is none.
 */
int mdata_call(enum mdata_op op, const char *key, const void *value, size_t n, enum mdata_status *status, struct buf *out, struct err *e);

/* mdata-get, mdata-put, mdata-list, mdata-delete; -1: name is none of them. */
int mdata_tool(const char *name, int argc, char **argv);
/* execute.c: mdata-execute. */
int mdata_execute(int argc, char **argv);

#endif
