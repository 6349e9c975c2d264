/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A machine that runs goes to another node and runs on there: docs/decisions/migration.md.
 *
 *	source                                          target
 *	offer: record, layout ───── control ─────────▶  checks all of it, makes the VM ("receiving"), boots a monitor that waits
 *	its snapshots ───────────── one ─────────────▶  made there, one of the other
 *	mirrors of its disks ────── one each ────────▶  its monitor's NBD server
 *	memory, again and again ─── one ─────────────▶  its monitor
 *	guest stands; mirrors end; "go" ─────────────▶  from here on it is the target's
 *	the rest of the memory ──────────────────────▶  guest runs; "runs"
 *	VM deleted
 *
 * Between "go" and the answer the source does not know whose it is: its guest stands until the target has said so. What is stored of that is the state "migrating"
 * and the text "migrate:<uuid>": where to, and the session's name.
 */
#ifndef CLOISTER_NODE_MIGRATE_H
#define CLOISTER_NODE_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/peer.h"
#include "node/vm.h"

struct migrate_opts {
	unsigned downtime_ms;  /* what the guest may stand, 0 = 100 */
	uint64_t bandwidth;    /* bytes a second of memory and of each disk, 0 = as fast as it goes */
	unsigned limit_s;      /* then it is given up, 0 = never */
	unsigned stall_s;      /* nothing has gone for so long: likewise; 0 = 30 */
	bool keep;             /* the VM stays, stopped */
	bool without_snapshots; /* those that it has don't come along */
};
struct migrate_done {
	char peer[PEER_PRINT + 1]; /* its name here */
	uint64_t memory, disks, snapshot_bytes;
	unsigned snapshots;
	unsigned ms, downtime_ms;  /* all of it; from the guest's last instruction here to the news that it runs there */
	unsigned limit_ms;         /* what it might stand: more than it was told where it did not converge */
};
/* where: as peer_connect() has it. -EINPROGRESS: nobody knows whose it is: the guest stands, and the hint says what to do. */
int vm_migrate(struct ctx *c, const char *word, const char *where, const struct migrate_opts *o, struct migrate_done *done, struct err *e);
/*
 * Of one that stands because of that. where NULL: as it was. 1 = the target has it, and here it is deleted, or kept; 0: it has not, and it runs on here.
 * back: the target is not asked: the operator says that it has it not.
 */
int vm_migrate_settle(struct ctx *c, const char *word, const char *where, bool back, bool keep, struct err *e);
/* What a killed command left. 1 = that can't be known here: it stays. */
int vm_migrate_recover(struct vm *v, const char *intent, struct err *e);
/* -EBUSY, with what to do, for a VM that may be another node's by now: its guest must stand, and its record and disks stay as they went. */
int vm_migrate_unsettled(const struct vm *v, struct err *e);
/* And for one that is kept here and runs there. */
int vm_migrate_refuse(const struct vm *v, struct err *e);

struct receive_opts {
	bool many;                       /* until c->cancel, not one alone */
	unsigned limit_s;                /* a machine that is not here by then does not come, 0 = never */
	unsigned stall_s;                /* nor one of which nothing has come for so long; 0 = 60 */
	void (*said)(const char *text); /* a line for people about each step */
};
int vm_receive(struct ctx *c, int listening, const struct receive_opts *o, struct err *e);
/* All of one that was on its way is taken away; what a killed command has left is, or becomes whole. */
int vm_receive_undo(struct vm *v, struct err *e);
int vm_receive_recover(struct vm *v, const char *intent, struct err *e);

#endif
