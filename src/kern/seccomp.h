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
#include "base/err.h"

/* Classic BPF program for prctl(PR_SET_SECCOMP)/seccomp(2) as bytes (array of struct sock_filter) appended to out. */
int seccomp_build(uint64_t words, struct buf *out, struct err *e);
/* Applies a program built above to this process. The caller has no_new_privs or CAP_SYS_ADMIN. */
int seccomp_apply(const void *prog, size_t bytes, struct err *e);

#endif
