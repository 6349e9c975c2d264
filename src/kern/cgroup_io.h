/* SPDX-License-Identifier: MPL-2.0 */
/* Inside cgroup*.c: paths and one-value files. Not for others. */
#ifndef CLOISTER_KERN_CGROUP_IO_H
#define CLOISTER_KERN_CGROUP_IO_H

#include "kern/cgroup.h"

#define CGI_PATH 512

/*
 * Where v2 holds memory or processes, the zone and its logins are one level further down, below the cgroup of that name
 * with those limits: only so is there a place beside them that is the zone's too (cgroup_rescue.c). Else "".
 */
#define CGI_ALL "all"
bool cgi_deep(const struct cg_host *h);
/* The cgroup with the limits on memory and processes: <uuid>, or the one below it. */
const char *cgi_limited(const struct cg_host *h, int tree, const char *uuid, char out[64]);

/* The controllers whose cgroups a zone gets on v1. What else there is stays where the supervisor is. */
extern const enum cg_ctl cgi_limits[3];

const char *cgi_name(enum cg_ctl ctl);
/* What the controller is called on v2, NULL if it is always there. */
const char *cgi_v2_name(enum cg_ctl ctl);
bool cgi_word_in(const char *list, char sep, const char *word);
/* <mount>/<root>[/<uuid>][/<file>]; uuid, file may be NULL. ctl < 0: the v2 tree. */
const char *cgi_path(const struct cg_host *h, int ctl, const char *uuid, const char *file, char out[CGI_PATH]);
/* The hierarchy that holds a controller: its v1 mount if there is one, else v2. -ENOTSUP by name if neither. */
int cgi_where(const struct cg_host *h, enum cg_ctl ctl, int *tree, struct err *e);
/*
 * Whether cgroups on v2 have such a file, told by one that gets its files from this controller: of the node's, or, before
 * there is one, any at the top. 1, 0; -ENODATA: none such is there to tell.
 */
int cgi_v2_has(const struct cg_host *h, enum cg_ctl ctl, const char *file);
/* One write; -errno, no message. */
int cgi_write(const char *path, const char *text);
/*
 * The same of what the kernel may take long for: -ETIME when it is not done after ms, and then it has stopped at it. A write
 * that need not wait costs a process more.
 */
int cgi_write_within(const char *path, const char *text, int ms);
/* At most n-1 bytes, last newline cut off; -errno, no message. */
int cgi_read(const char *path, char *out, size_t n);
/* A number, "max" and v1's 2^63 as UINT64_MAX, "-1" too. */
int cgi_number(const char *path, uint64_t *out);
int cgi_number_of(const char *text, uint64_t *out);
/* Writes, and reads back by the same descriptor; as cgi_read(). */
int cgi_write_read(const char *path, const char *text, char *out, size_t n);
/* The value behind "key " in a file of such lines. */
int cgi_keyed(const char *path, const char *key, uint64_t *out);
/* cgroup_own.c: "_zones/<uuid>", the place of a zone with a cgroup of its own where the others have none; is it there? */
const char *cgi_own(const char *uuid, char out[64]);
bool cgi_own_there(const struct cg_host *h, enum cg_ctl ctl, const char *uuid);
int cgi_own_make(const struct cg_host *h, enum cg_ctl ctl, const char *uuid, struct err *e);
/* All of the zone's processes into it; none run at boot. */
int cgi_own_enter(const struct cg_host *h, enum cg_ctl ctl, const char *uuid, struct err *e);
/* cgroup_mems.c: memory from the nodes of these processors alone, read back; from all if they are none, or on all. */
struct cpus;
int cgi_mems(const struct cg_host *h, const char *uuid, const struct cpus *c, struct err *e);
/* Waits until "key value" is what cgroup.events says; -ETIME after ms, -ENOENT if it is gone. */
int cgi_wait(const char *path, const char *key, uint64_t value, int ms);

#endif
