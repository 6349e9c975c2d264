/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Between QEMU and a file, a pipe and a thread of ours: QEMU, which is not trusted, has no file of the pool's to write to without end, and
 * when the command dies the pipe breaks, which QEMU takes as the end of it and goes on with its guest.
 */
#ifndef CLOISTER_NODE_SAVED_PIPE_H
#define CLOISTER_NODE_SAVED_PIPE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/sum64.h"

struct saved_pipe {
	pthread_t thread;
	bool started, in;    /* in: from the file to QEMU */
	int file, ours, its; /* the file is the caller's; the pipe's two ends are this one's */
	struct sum64 sum;    /* of what has gone through, and what the caller has put there before */
	uint64_t max;        /* bytes in all: no more are taken */
	int code;            /* 0, or why it ended: an errno. atomic */
	bool done;           /* the other side has said that it is done. atomic */
	unsigned linger_ms;  /* how long it is waited for from then on, whatever it still says or takes */
	bool stop;           /* nobody wants it any more. atomic */
};
#define SAVED_PIPE_INIT ((struct saved_pipe){.file = -1, .ours = -1, .its = -1, .sum = SUM64_INIT, .linger_ms = 30000})

/* .its is what QEMU gets. */
int saved_pipe_start(struct saved_pipe *p, bool in, int file, uint64_t max, struct err *e);
/*
 * Nothing more comes, or is wanted: waits for the thread, closes the ends. A negative errno where it has failed: -ETIME for a QEMU that does not come to its
 * end; -ECANCELED: ctx_check() has it.
 */
int saved_pipe_end(struct saved_pipe *p, const struct ctx *c);

#endif
