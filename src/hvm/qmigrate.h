/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state of a machine, memory and devices, as a stream out of one QEMU and into another: to a file or to a host. Both ends are told of by
 * QEMU, which is not believed: who reads or writes the stream counts for himself, and what a callback returns ends it.
 */
#ifndef CLOISTER_HVM_QMIGRATE_H
#define CLOISTER_HVM_QMIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hvm/qmp.h"

struct qmigrate_now {
	uint64_t total, sent, left; /* bytes: the guest's memory; sent so far, pages that changed again and again; that are to go as it is */
	uint64_t rounds;            /* through the pages that have changed; 1 = the first, all of them */
	unsigned ms, downtime_ms;   /* since it began; at its end: how long the guest stood until all was out */
	bool stopped;               /* the guest stands: the last part goes */
};

struct qmigrate_opts {
	unsigned downtime_ms; /* QEMU stops the guest when it thinks that the rest takes no longer; 0 = as it has it (300) */
	uint64_t sent_max;    /* one whose guest writes faster than it is read comes to no end: when so much has been sent, it is stopped. 0 = never */
	bool hold;            /* the guest stands, and before the last part goes .stopped is called, once */
	int (*stopped)(void *arg, struct err *e);                                  /* negative: given up */
	bool stay;             /* what fails behind .stopped leaves the guest standing: it may be another host's by then */
	uint64_t bandwidth;    /* bytes a second, 0 = as fast as the other side takes it */
	bool slow;             /* QEMU holds back a guest that writes faster than its memory goes (auto-converge) */
	int (*progress)(void *arg, const struct qmigrate_now *now, struct err *e); /* some times a second, may be NULL; negative: given up */
	void *arg;
};

/*
 * All of it out to fd, of which QEMU takes a copy. 0: the guest stands, and what it had is in the stream: end it, or qmigrate_undo(). Negative: nothing has
 * changed, and the guest runs on, if it ran before. end may be NULL.
 */
int qmigrate_out(struct qmp *q, int fd, const struct qmigrate_opts *o, struct qmigrate_now *end, struct err *e);
/* The guest runs on, wherever a qmigrate_out() was: of one whose command was killed, too. One that had not been let go yet is not. */
int qmigrate_undo(struct qmp *q, struct err *e);
/* Of query-status: it stands behind an instruction of its own, and not before its first, and by no fault. */
bool qmigrate_stands(const char *status);
/* From fd into a machine that waits for it (-incoming defer). 0: its guest stands as it was; "cont" lets it go on. -EPIPE, -ESRCH: QEMU has ended, its last words say why. */
int qmigrate_in(struct qmp *q, int fd, const struct qmigrate_opts *o, struct err *e);

#endif
