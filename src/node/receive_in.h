/* SPDX-License-Identifier: MPL-2.0 */
/* One machine that is on its way here: taking.c. */
#ifndef CLOISTER_NODE_RECEIVE_IN_H
#define CLOISTER_NODE_RECEIVE_IN_H

#include "node/migrate_in.h"

struct taking_snaps;

struct taking {
	struct vm v;
	struct qmp q;
	json_t *layout;
	char session[MIGMSG_SESSION + 1];
	struct peer control;
	struct buf in;
	int nbd;              /* listening, QEMU's too */
	size_t disks;         /* that have come */
	bool come[256];       /* by their numbers */
	int stream;           /* of the memory, -1 = not yet here */
	bool memory;          /* it has come */
	bool mine;            /* "go" was heard, and that is stored */
	struct err failed;    /* why it will not come */
	pid_t relays[260];    /* of its connections */
	size_t nrelays;
	uint64_t begin, looked, turns, since; /* turns: of its relays, and when there was the last */
	uint64_t most;        /* bytes on the pool that its disks and snapshots may come to */
	struct taking_snaps *snaps; /* on their way; NULL = they are not yet, or are here */
	unsigned snapshots;   /* that are to come yet */
	uint64_t snapshots_have; /* bytes of those that are here */
};

/* Checks, makes the VM and its monitor, which waits. The caller's until taking_end(). */
int taking_begin(struct ctx *c, struct migmsg *offer, struct taking **out, struct err *e);
/* A connection that brings a disk or the memory: p is closed, or QEMU's. */
int taking_stream(struct taking *t, const struct migmsg *m, struct peer *p, struct err *e);
/* ---- taking_snaps.c ---- */
/* Takes p's descriptor over; they are made by a thread, and who connects meanwhile is heard. */
int taking_snaps_begin(struct taking *t, struct peer *p, struct err *e);
/* What they have come to, and whether something came of them since the last time; an end of theirs is told to the source, or is t->failed. */
void taking_snaps_look(struct taking *t, bool *moved);
uint64_t taking_snaps_bytes(const struct taking *t);
/* Given up, if they are on their way. Nothing writes to the pool when it returns. */
void taking_snaps_end(struct taking *t);

/* ---- taking.c ---- */
/* What the source says on the control connection. */
void taking_hear(struct taking *t);
/* What is only said is held to: time, room, that something comes. */
void taking_bounds(struct taking *t, const struct receive_opts *o);
/* The monitor lives. */
int taking_watch(struct taking *t);
/* All of the memory; each is called meanwhile. */
int taking_memory(struct taking *t, int (*each)(void *arg, const struct qmigrate_now *now, struct err *e), void *arg, struct err *e);
/* The guest goes on here, and the source is told. */
int taking_run(struct taking *t, struct err *e);
/* runs: it is whole; else all of it is taken away, and the source is told why. */
void taking_end(struct taking *t, bool runs);

#endif
