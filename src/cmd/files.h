/* SPDX-License-Identifier: MPL-2.0 */
/* Open files of zones' processes, as `cloister files` shows them. */
#ifndef CLOISTER_CMD_FILES_H
#define CLOISTER_CMD_FILES_H

#include <limits.h>
#include <sys/types.h>

#include "cmd/zone_pick.h"
#include "kern/mountmap.h"
#include "stat/procs.h"

struct open_file {
	const struct procs_one *p;
	char fd[16];          /* "3", "cwd", "root", "exe" */
	const char *type;     /* "REG", "DIR", "CHR", "BLK", "FIFO", "SOCK", "ANON", "?" */
	bool looked;          /* type, size, dev, ino, deleted: its file system said */
	bool known;           /* flags and pos */
	unsigned flags;       /* open(2)'s */
	uint64_t pos, size;
	dev_t dev;
	ino_t ino;
	bool deleted;
	char *host;           /* as the global zone does, looked at; NULL = it does not, or nobody asked. Owned by the reader */
	char path[PATH_MAX];  /* as the zone sees it; last, for only what is used of it is passed on */
};

struct files_reader {
	struct ctx *c;
	const struct cg_host *h;
	const struct zone_pick *zones;
	bool want_host;       /* fill host: costs a look at the file */
	struct mountmap own, its; /* the global zone's, and the last zone's */
	unsigned its_zone;
	ino_t its_ns;
	bool its_tried;       /* its, whether it could be had or not */
	char **layer;         /* folders of its_zone's overlay, uppermost first */
	size_t nlayers;
	const struct procs_one **unread; /* files_walk: those that could not be read, or not to the end */
	size_t nunread;
};

/*
 * All of all; a process that has gone has none. A child reads, and a process that makes it wait is left for the next one;
 * of a zone that does so again and again the others are left too. Returns what each returned, if negative.
 */
int files_walk(struct files_reader *r, const struct procs *ps, int (*each)(const struct open_file *, void *arg), void *arg, struct err *e);
/* Of one, by the caller, who may have to wait without end. */
int files_each(struct files_reader *r, const struct procs_one *p, int (*each)(const struct open_file *, void *arg), void *arg, struct err *e);
void files_done(struct files_reader *r);

#endif
