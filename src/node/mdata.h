/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a VM's metadata service answers, from the record as it is stored now. Who asks is hostile: keys and values are checked here,
 * whoever has checked them before.
 */
#ifndef CLOISTER_NODE_MDATA_H
#define CLOISTER_NODE_MDATA_H

#include "base/buf.h"
#include "base/ctx.h"
#include "state/state.h"

/* -ENOENT: there is none of this key. */
int mdata_get(struct ctx *c, struct state *st, const char *uuid, const char *key, struct buf *out, struct err *e);
/* Keys with a newline between them. */
int mdata_keys(struct state *st, const char *uuid, struct buf *out, struct err *e);
/*
 * As `vmadm update` changes it. -EROFS: a key that the VM may read only; -EINVAL, -EFBIG, -EDQUOT: what is no text, or too much; -EBUSY: another
 * command has been at work on the VM for too long.
 */
int mdata_put(struct ctx *c, struct state *st, const char *uuid, const char *key, const char *value, size_t n, struct err *e);
/* 0, also if there was none. */
int mdata_delete(struct ctx *c, struct state *st, const char *uuid, const char *key, struct err *e);

#endif
