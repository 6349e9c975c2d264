/* SPDX-License-Identifier: MPL-2.0 */
/* What the files of fwadm share. */
#ifndef CLOISTER_CMD_FWADM_H
#define CLOISTER_CMD_FWADM_H

#include <jansson.h>

#include "cmd/cmd.h"
#include "node/fw.h"

/* READ of a node without a database: *st stays NULL. 0, or the exit status. */
int fwadm_open(struct ctx *c, enum state_mode how, struct state **st);
/* One object by its uuid: "rule" or "rvm". -ENOENT: "rule <uuid> does not exist". */
int fwadm_get(struct state *st, const char *kind, const char *uuid, json_t **out, struct err *e);
/* All of a kind; each takes the object. */
int fwadm_all(struct state *st, const char *kind, json_t **out, struct err *e);
void fwadm_json(const json_t *o);

/* How rules are shown: list's and rules' options. */
struct fwadm_show {
	bool json, parse;
	char delim;
	const char *fields; /* NULL: uuid,enabled,rule */
};
/* Of getopt: -j -p -d -o. 0, or the exit status; optind is behind them. */
int fwadm_show_options(int argc, char **argv, struct fwadm_show *s);
void fwadm_show(const struct fwadm_show *s, const json_t *rules);

/* How a change is told: -j, --dry-run. */
struct fwadm_do {
	bool json, dry;
	const char *what;  /* "Added", "Updated", "Deleted"… */
	const char *audit; /* "fwadm add" */
};
/* Does it and says what was done; the exit status, or FWADM_AGAIN: what it was made of is another by now (fw_change.seen), and nothing is done. */
enum { FWADM_AGAIN = -1 };
int fwadm_apply(struct ctx *c, struct state *st, const struct fw_change *ch, const struct fwadm_do *how);

#endif
