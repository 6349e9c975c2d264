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
/*
 * The same in mount and pid namespaces of its own, so that nothing of it and no mount outlives it. argv[0] is a path.
 * before() runs in the child ahead of exec, only with async-signal-safe calls; it returns 0 or a negative errno.
 */
int child_start_apart(struct child *c, const char *const *argv, const char *const *env, const int *fds, size_t nfds,
		      int (*before)(const void *arg), const void *arg, struct err *e);
/* Where a program is: in the administrator's usual folders. NULL if nowhere; free(). */
char *child_find(const char *name);
/*
 * What it says on fd, to the end, line by line; control characters become question marks, for what it works on may be
 * hostile. log: all of it goes there too, -1 = nowhere. -ECANCELED and -ETIME as ctx_check() has it.
 */
struct child_lines {
	void (*line)(char *line, void *arg);
	void *arg;
	int log;
	char text[2048];
	size_t len;
};
int child_listen(struct ctx *c, int fd, struct child_lines *l, struct err *e);
/* Waits for its end; the exit status, or 128 + signal. */
int child_wait(struct child *c);
/* Ends it if it still runs, and reaps it. Usable as a cleanup. */
void child_end(struct child *c);

#endif
