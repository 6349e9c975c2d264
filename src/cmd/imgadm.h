/* SPDX-License-Identifier: MPL-2.0 */
/* What imgadm's verbs share. */
#ifndef CLOISTER_CMD_IMGADM_H
#define CLOISTER_CMD_IMGADM_H

#include "cmd/cmd.h"
#include "image/image.h"
#include "state/state.h"
#include "store/store.h"

#define IMGADM_NOT_INSTALLED 3

struct imgadm {
	struct state *st;
	struct store *s; /* NULL unless asked for */
};
/* pool: attaches and opens it, and clears what killed commands left. A node without a database has no images: 0, st NULL. */
int imgadm_open(struct ctx *c, enum state_mode m, bool pool, struct imgadm *out, struct err *e);
void imgadm_close(struct imgadm *i);
/* A uuid, or a prefix of one of at least 8 characters. -ENOENT (not installed), -ENOTUNIQ. */
int imgadm_find(struct state *st, const char *word, char uuid[37], struct err *e);
/* cmd_fail(), with the exit status for "not installed". */
int imgadm_fail(const struct ctx *c, const struct err *e);

#endif
