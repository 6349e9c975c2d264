/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What two nodes say to each other about a machine that moves: an object of JSON a line. The other node is one that is known, and no more is believed
 * of it than that. Pure.
 *
 *	source → target                            target → source
 *	offer {session, record, layout, bytes,     ready {snapshots} | no {why, hint}
 *	       snapshots {count, bytes}}
 *	  on connections of their own:
 *	disk {session, node} / memory {session}    ok, and bytes that are QEMU's
 *	snapshots {session}                        ok, records (hvm/migsnap.h), and when it has them: ok
 *	go {}                                      runs | no {why, hint}
 *	ask {session, uuid}                        taken | not | busy
 */
#ifndef CLOISTER_HVM_MIGMSG_H
#define CLOISTER_HVM_MIGMSG_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MIGMSG_VERSION 1
#define MIGMSG_MAX     (9u << 20) /* bytes of an offer: a record is 8 MiB at most */
#define MIGMSG_SHORT   4096u      /* of everything else */
#define MIGMSG_SESSION 64         /* letters of a session's name: random, hex */

enum migmsg_word { MIG_OFFER, MIG_DISK, MIG_MEMORY, MIG_SNAPSHOTS, MIG_GO, MIG_ASK, MIG_READY, MIG_NO, MIG_OK, MIG_RUNS, MIG_TAKEN, MIG_NOT, MIG_BUSY, MIG_WORDS };

struct migmsg {
	enum migmsg_word word;
	json_t *json;              /* owned: record and layout of an offer, borrowed from here */
	char session[MIGMSG_SESSION + 1], uuid[37], node[32];
	char why[512], hint[256];  /* printable */
	unsigned snapshots;        /* of an offer */
	uint64_t snapshot_bytes;
};
#define MIGMSG_INIT ((struct migmsg){.json = NULL})
#define _migmsg_    __attribute__((cleanup(migmsg_done)))

/* -EPROTO: it is nothing that may be said. Every member that the word has is there and of its form; of others nothing is looked at. */
int migmsg_parse(const char *text, size_t n, struct migmsg *m, struct err *e);
void migmsg_done(struct migmsg *m);
/* The line, with its newline; more: members beside "say", taken over, may be NULL. The caller's. */
char *migmsg_text(enum migmsg_word word, json_t *more);

#endif
