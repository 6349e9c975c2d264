/* SPDX-License-Identifier: MPL-2.0 */
/* Between the files of migration. */
#ifndef CLOISTER_NODE_MIGRATE_IN_H
#define CLOISTER_NODE_MIGRATE_IN_H

#include "base/buf.h"
#include "hvm/migmsg.h"
#include "hvm/migsnap.h"
#include "hvm/qmigrate.h"
#include "hvm/qmirror.h"
#include "node/migrate.h"

#define MIGRATE_STATE  "migrating"
#define MIGRATE_KEPT   "migrated"
#define RECEIVE_STATE  "receiving"
#define RECEIVE_INTENT "receive"
#define RECEIVE_RUNS   "receive\nruns" /* its guest may have run here */
#define MIGRATE_INTENT "migrate"
#define MIGRATE_GONE   "migrate\ngone" /* intent of one that may be the target's */

/* ---- migrate_wire.c ---- */
int wire_say(int fd, enum migmsg_word word, json_t *more, struct err *e);
/* The next line into m, for ms at most. -EPIPE: the other has gone; -ETIME, -ECANCELED, -EPROTO. */
int wire_hear(struct ctx *c, int fd, struct buf *in, int ms, struct migmsg *m, struct err *e);
/* The last line before bytes that are not ours: none of them is read. */
int wire_hear_last(int fd, int ms, struct migmsg *m, struct err *e);
/* What there is now, without waiting. 1 = a message. */
int wire_look(int fd, struct buf *in, struct migmsg *m, struct err *e);
/* "no", as an error of ours. */
int wire_refused(const struct migmsg *m, struct err *e);
void wire_session(char out[MIGMSG_SESSION + 1]);
/* -EACCES: it is another node, known or not, than the one of that fingerprint. */
int wire_same(const struct peer *p, const char *print, struct err *e);

/* ---- migrate_mark.c: "migrate:<uuid>" ---- */
struct migrate_mark {
	char session[MIGMSG_SESSION + 1];
	char print[PEER_PRINT + 1]; /* of the node that was told to go on with it: no other one is believed */
	char where[300];
};
/* With the VM's state, durably. */
int mark_set(struct vm *v, const struct migrate_mark *m, struct err *e);
int mark_get(struct vm *v, struct migrate_mark *m, struct err *e);
/* Another address of that node. */
int mark_where(struct migrate_mark *m, const char *where, struct err *e);
/* state: "installed", or what a VM that is kept has. */
int mark_drop(struct vm *v, const char *state, struct err *e);
/* Of the target: this session's machine is ours. */
int mark_taken(struct vm *v, const char *session, struct err *e);
int mark_not_taken(struct vm *v, struct err *e);
/* 1 = it is. */
int mark_is_taken(struct state *st, const char *uuid, const char *session, struct err *e);
/* Those of machines that came and are long gone. */
int mark_trim(struct state *st, struct err *e);

/* ---- receive_make.c: the VM that is to be ---- */
/* v->rec and what it needs, of an offer; all that create would refuse is. */
/* most: what its disks and snapshots may come to on this pool. */
int receive_check(struct vm *v, const struct migmsg *offer, uint64_t *most, struct err *e);
/* Row, root with empty disks, firewall, monitor that waits. */
int receive_make(struct vm *v, struct err *e);

/* ---- migrate_disks.c ---- */
/* What a VM has that can't come along: -ENOTSUP with its name. bytes: what its disks hold. */
int migrate_disks_check(struct vm *v, uint64_t *bytes, struct err *e);
/* A connection of that kind to where m says, agreed. node: of a disk. */
int migrate_stream(struct ctx *c, const struct migrate_mark *m, enum migmsg_word word, const char *node, struct peer *p, struct err *e);
/* A mirror of each disk, until all are level; each is called meanwhile. */
struct migrate_mirrors {
	struct vm *v;
	struct qmp *q;
	const struct migrate_mark *to;
	uint64_t bandwidth, bytes;
	int (*each)(void *arg, uint64_t done, uint64_t total, struct err *e);
	void *arg;
};
int migrate_mirror(struct migrate_mirrors *m, struct err *e);

/* ---- migrate_snaps.c ---- */
struct migrate_snap {
	char name[MIGSNAP_NAME + 1];
	uint64_t created, sum; /* sum: of where its files lie */
};
struct migrate_snaps {
	struct migrate_snap *v; /* the oldest first */
	size_t n, most;
	uint64_t bytes;         /* that are to go: what differs from the one before */
	uint64_t sent, looked;  /* that have gone; that were compared */
};
#define MIGRATE_SNAPS_INIT ((struct migrate_snaps){.v = NULL})
/* What there is, and where it lies. -ENOTSUP: one has what can't come along, with its name. */
int migrate_snaps_look(struct vm *v, uint64_t deadline, struct migrate_snaps *s, struct err *e);
/* All of them, until the other node has them for good; each is called meanwhile, with what of it moves. */
int migrate_snaps_send(struct vm *v, struct migrate_snaps *s, const struct migrate_mark *to, uint64_t bandwidth,
		       int (*each)(void *arg, const struct migrate_snaps *s, bool settles, struct err *e), void *arg, struct err *e);
void migrate_snaps_done(struct migrate_snaps *s);

/* ---- migrate_settle.c ---- */
/* The target has it: here it is deleted, or stopped for good. */
int migrate_away(struct vm *v, bool keep, struct err *e);
/* Asks whose it is, for so many seconds: MIG_TAKEN or MIG_NOT. */
int migrate_ask(struct ctx *c, const struct migrate_mark *m, const char *uuid, unsigned seconds, enum migmsg_word *word, struct err *e);
/* It is ours: the guest goes on. */
int migrate_back(struct vm *v, struct err *e);

#endif
