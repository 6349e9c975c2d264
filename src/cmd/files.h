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
	bool known;           /* flags and pos */
	unsigned flags;       /* open(2)'s */
	uint64_t pos, size;
	dev_t dev;
	ino_t ino;
	bool deleted;
	char path[PATH_MAX];  /* as the zone sees it */
	char *host;           /* as the global zone does, looked at; NULL = it does not, or nobody asked. Owned by the reader */
};

struct files_reader {
	struct ctx *c;
	const struct cg_host *h;
	const struct zone_pick *zones;
	bool want_host;       /* fill host: costs a look at the file */
	struct mountmap own, its; /* the global zone's, and the last zone's */
	unsigned its_zone;
	ino_t its_ns;
	char **layer;         /* folders of its_zone's overlay, uppermost first */
	size_t nlayers;
};

/* All of a process; a process that has gone has none. Returns what each returned, if negative. */
int files_each(struct files_reader *r, const struct procs_one *p, int (*each)(const struct open_file *, void *arg), void *arg, struct err *e);
void files_done(struct files_reader *r);

#endif
