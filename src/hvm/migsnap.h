/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Snapshots on their way to another node, on a connection of their own, behind the "ok": records, each with a head of 16 bytes. What may come next, and
 * how much of it, is decided here alone; who sends them is believed nothing. Pure.
 *
 *	snapshot "nightly", made at …        its files are those of the one before; the first has none
 *	  file "disk0", of so many bytes     made that long; what it had before stays where nothing is said
 *	    data at …, zero at …             upwards, each place once
 *	  end                                files that were not named are none of its
 *	over
 */
#ifndef CLOISTER_HVM_MIGSNAP_H
#define CLOISTER_HVM_MIGSNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hvm/qdisk.h"

#define MIGSNAP_HEAD  16
#define MIGSNAP_PIECE (1u << 20) /* bytes of a data record at most */
#define MIGSNAP_BLOCK 4096u      /* data and zeros begin at a multiple of it, and end at one or with the file */
#define MIGSNAP_NAME  64
#define MIGSNAP_MOST  4096u      /* snapshots of a machine */
#define MIGSNAP_FILES (QDISK_NUMBERS + 3)

/* still: nothing, while differences are looked for. */
enum migsnap_kind { MIGSNAP_STILL, MIGSNAP_SNAPSHOT, MIGSNAP_FILE, MIGSNAP_DATA, MIGSNAP_ZERO, MIGSNAP_END, MIGSNAP_OVER, MIGSNAP_KINDS };

struct migsnap_head {
	enum migsnap_kind kind;
	uint32_t n;  /* bytes behind it; zero: blocks */
	uint64_t at; /* where in the file; file: its size; snapshot: when it was made, ns since 1970 */
};
struct migsnap {
	unsigned want, come;     /* snapshots that were announced; that are whole */
	uint64_t most, taken;    /* bytes of blocks that may come; that have */
	bool open, file, over;   /* in a snapshot; in a file of it */
	bool seen[MIGSNAP_FILES]; /* of the snapshot that is open */
	uint64_t size, next;     /* of the file, and where the next record may begin at the least */
};

void migsnap_put(const struct migsnap_head *h, unsigned char out[MIGSNAP_HEAD]);
/* -EPROTO: nothing that may come now; -ENOSPC: more than was announced. */
int migsnap_take(struct migsnap *s, const unsigned char head[MIGSNAP_HEAD], struct migsnap_head *h, struct err *e);
/* What is behind the head of a snapshot or a file, h->n bytes: a name by the rules of snapshots, or one of files that a machine has. */
int migsnap_name(struct migsnap *s, const struct migsnap_head *h, const char *text, char name[MIGSNAP_NAME + 1], struct err *e);
/* Which of the files that a snapshot may have: below QDISK_NUMBERS a disk's number. -1 = none. */
int migsnap_file(const char *name);

#endif
