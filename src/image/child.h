/* SPDX-License-Identifier: MPL-2.0 */
/* Programs that image work runs: by argv, with the descriptors it is told and no others. */
#ifndef CLOISTER_IMAGE_CHILD_H
#define CLOISTER_IMAGE_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/ctx.h"

struct child {
	pid_t pid; /* 0 = none */
	int pidfd;
};
#define CHILD_INIT ((struct child){.pidfd = -1})

/*
 * Starts argv[0] (searched in PATH when it has no slash) with fds[i] as descriptor i; -1 is /dev/null. env NULL is
 * ours. All our own descriptors are close-on-exec.
 */
int child_start(struct child *c, const char *const *argv, const char *const *env, const int *fds, size_t nfds, struct err *e);
/* Waits for its end; the exit status, or 128 + signal. */
int child_wait(struct child *c);
/* Ends it if it still runs, and reaps it. Usable as a cleanup. */
void child_end(struct child *c);

#endif
