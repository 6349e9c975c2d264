/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An operation is a list of steps, each with its undo.
 *
 * steps_run() does them in order and times each; when one fails, the undos of those before it run backwards, each
 * of them even if another fails. An undo must also work when its step was killed half way: the same functions clear
 * up, at the next command, what a SIGKILL left behind.
 *
 * Failpoints: with CLOISTER_FAIL="name:kill", ":error" or ":stop" in the environment, the process kills itself, the
 * step fails with EIO, or it stops itself (SIGSTOP), right *before* step `name`; with "name+:..." right *after* it.
 */
#ifndef CLOISTER_BASE_STEPS_H
#define CLOISTER_BASE_STEPS_H

#include <stddef.h>

#include "base/ctx.h"

struct step {
	const char *name;                                       /* "clone-root": one word, unique in its program */
	int (*run)(struct ctx *, void *op, struct err *);       /* 0, or negative errno with the message filled */
	int (*undo)(struct ctx *, void *op, struct err *);      /* may be NULL; -ve is logged, not returned */
};

/* `what` names the operation in the log: "create 0a5f…". Returns 0 or the failing step's error. */
int steps_run(struct ctx *c, const char *what, const struct step *s, size_t n, void *op, struct err *e);
/* The undos alone, last first: for teardown and for clearing up after a kill. Returns the first error, having done all. */
int steps_undo(struct ctx *c, const char *what, const struct step *s, size_t n, void *op, struct err *e);
/* A failpoint outside a list of steps. 0 or -EIO. */
int failpoint(const char *name, struct err *e);

#endif
