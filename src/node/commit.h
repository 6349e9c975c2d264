/* SPDX-License-Identifier: MPL-2.0 */
/* A durable commit in a thread of its own, beside work that waits for something else than the disk. */
#ifndef CLOISTER_NODE_COMMIT_H
#define CLOISTER_NODE_COMMIT_H

#include <pthread.h>

#include "state/state.h"

struct commit {
	pthread_t thread;
	struct state *st;
	struct err e;
	int r;
	bool running;
};

/* Ends the transaction that state_begin() has begun. Until it is joined, st is the thread's alone. */
void commit_start(struct commit *m, struct state *st);
/* What the commit's end was; 0 where none was started. */
int commit_join(struct commit *m, struct err *e);

#endif
