/* SPDX-License-Identifier: MPL-2.0 */
/* Network namespaces that outlive who made them: bound to a file. For single-threaded programs. */
#ifndef CLOISTER_KERN_NETNS_H
#define CLOISTER_KERN_NETNS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A new network namespace, with lo down, bound to path (made, 0600). setup runs in it, in a child of ours, before anything
 * else is there; it returns 0 or -errno.
 */
int netns_pin(const char *path, int (*setup)(void), struct err *e);
bool netns_pinned(const char *path);
/* Its processes and interfaces keep it; else it goes. 0, also if there is none. */
int netns_unpin(const char *path, struct err *e);
/* Runs f in it, in a child of ours. 0, or the -errno that f returned. */
int netns_do(int ns, int (*f)(void *arg), void *arg, struct err *e);
/*
 * Runs a program there (ns -1: where we are) with text for its standard input, and its standard output and error in out
 * (NULL: error goes to e). Its exit status, or -errno.
 */
int netns_run(int ns, char *const argv[], const char *text, struct buf *out, struct err *e);

#endif
