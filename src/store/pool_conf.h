/* SPDX-License-Identifier: MPL-2.0 */
/*
 * pool.conf: what the pool is, as lines "name=value". One copy in the node's state folder (where to find it), one in
 * the pool itself (what it is, for import). Parsing is pure; unknown names are an error, for they may matter.
 */
#ifndef CLOISTER_STORE_POOL_CONF_H
#define CLOISTER_STORE_POOL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ctx.h"

#define POOL_DEVS_MAX 32

enum pool_kind { POOL_FILE, POOL_DEVICES, POOL_FOLDER };
/* CREATING and DESTROYING are what a killed command leaves; the next create or destroy clears it. */
enum pool_state { POOL_CREATING, POOL_ONLINE, POOL_DESTROYING };

struct pool_conf {
	char driver[16], fsid[40], node[NODE_NAME_MAX];
	enum pool_kind kind;
	enum pool_state state;
	char quota[8]; /* "simple", "full" */
	bool mirror;
	uint64_t size; /* of the file */
	size_t ndevs;  /* file: 1, its path; folder: 1, its path */
	char dev[POOL_DEVS_MAX][256];
};

int pool_conf_parse(const char *text, struct pool_conf *out, struct err *e);
/* -ENOENT: the node has none. */
int pool_conf_load(const struct ctx *c, struct pool_conf *out, struct err *e);
/* Durable, in the state folder; and in the pool when poolfd is not -1. */
int pool_conf_save(const struct ctx *c, const struct pool_conf *p, int poolfd, struct err *e);
int pool_conf_remove(const struct ctx *c, struct err *e);

#endif
