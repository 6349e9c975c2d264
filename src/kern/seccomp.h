/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The system call table of a zone. Unknown and new calls: ENOSYS; denied ones: EPERM; i386 filtered by the same
 * table, x32 killed. limit_priv words widen or narrow it. Rows stand in seccomp.c with their reasons; the man page's
 * table is made from them.
 */
#ifndef CLOISTER_KERN_SECCOMP_H
#define CLOISTER_KERN_SECCOMP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ctx.h"

/* Bits of `words`, from limit_priv (caps.h): what is widened, and what is taken away. */
enum seccomp_word {
	SECCOMP_IO_URING = 1,         /* "io_uring" */
	SECCOMP_SOCKETCALL = 2,       /* "i386_socketcall": 32-bit programs make sockets of any family */
	SECCOMP_NO_LOCK_MEMORY = 4,   /* "!proc_lock_memory" */
	SECCOMP_AIO = 8,              /* "aio" */
	SECCOMP_MONITOR = 16,         /* no word of limit_priv: a machine's monitor, alone in its zone, with all it needs in its hands */
};

/* Classic BPF program for prctl(PR_SET_SECCOMP)/seccomp(2) as bytes (array of struct sock_filter) appended to out. */
int seccomp_build(uint64_t words, struct buf *out, struct err *e);
/*
 * The path of a file that holds that program, in the node's run directory; built (some ms) and put there in one rename
 * when missing, else one access(2). Its name has the hash of table and words: a new table never meets an old file.
 */
int seccomp_cached(const struct ctx *c, uint64_t words, char path[128], struct err *e);
/* Applies a program built above to this process. The caller has no_new_privs or CAP_SYS_ADMIN. */
int seccomp_apply(const void *prog, size_t bytes, struct err *e);

/* One row of the table, for the man page and for the builder. */
enum seccomp_act {
	SECCOMP_ROW_ALLOW,
	SECCOMP_ROW_EPERM,
	SECCOMP_ROW_ENOSYS,    /* like a kernel that was built without it */
	SECCOMP_ROW_ARGS,      /* allowed, but for some arguments: seccomp_args[] */
};
struct seccomp_row {
	enum seccomp_act act;
	const char *names;     /* system calls, separated by blanks */
	const char *reason;
	uint64_t allow_with;   /* words that turn EPERM or ENOSYS into ALLOW */
	uint64_t deny_with;    /* words that turn ALLOW into EPERM */
};
const struct seccomp_row *seccomp_rows(size_t *n);

/* The rows with arguments: tests on the low 32 bits of one argument, in order; the first that matches decides. */
enum seccomp_test {
	SECCOMP_EQ_OK, SECCOMP_EQ_DENY, /* a == v */
	SECCOMP_SET_DENY,               /* a & v */
	SECCOMP_UNSET_DENY,             /* !(a & v) */
	SECCOMP_TYPE,   /* bits 8..15 are v: decided by the SECCOMP_CMD tests that follow; a call of another type goes behind them */
	SECCOMP_CMD,    /* a == v: fine */
	SECCOMP_ELSE_DENY, /* the last one; without it the rest is fine */
};
struct seccomp_arg_test {
	enum seccomp_test test;
	uint32_t value;
	const char *what;
};
struct seccomp_arg {
	const char *name;
	unsigned arg;
	int error;             /* errno of a denial by SECCOMP_EQ_DENY, SET_DENY and ELSE_DENY */
	int type_error;        /* errno of a denial by SECCOMP_TYPE */
	const struct seccomp_arg_test *tests;
	size_t n;
	const char *reason;
	uint64_t off_with;     /* words that switch these tests off */
	uint64_t only_with;    /* words without which they are off; of several entries of one call the first that is on counts */
};
const struct seccomp_arg *seccomp_args(size_t *n);

#endif
