/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What an operation carries with it: which node it works on, where its log and progress go, and when to give up.
 * The library has no other state. A program makes one context per thread of work.
 *
 * One setting names a node, and everything it owns hangs from that name. The node "default" has the plain paths;
 * a node "t1" has /run/cloister-t1 and so on, so that several run side by side on one machine.
 */
#ifndef CLOISTER_BASE_CTX_H
#define CLOISTER_BASE_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NODE_NAME_MAX 32

struct node {
	char name[NODE_NAME_MAX]; /* [a-z0-9][a-z0-9-]*, "default" unless told */
	char state[64];           /* /var/lib/cloister      node.db, pool.conf, pool.img */
	char run[64];             /* /run/cloister          locks/, <uuid>/ */
	char etc[64];             /* /etc/cloister          node.conf */
	char log[64];             /* /var/log/cloister */
	char pool[64];            /* /zones                 the pool's mount point */
	char cgroup[64];          /* cloister               first component below the cgroup root */
	uint32_t id_base;         /* first host uid of the node's ranges */
	uint32_t id_count;        /* how many ranges of 65536 */
	uint32_t usage_s;         /* seconds from one sample of a zone's use to the next */
	uint32_t throttled_s;     /* how long a cap holds a zone back until that is an event */
	char vnc_host[48];        /* address of this host at which vnc_port is, 127.0.0.1 unless told */
	uint32_t balloon_below;   /* % of the host's memory that is available below which machines' idle memory is taken; 0 = never */
	char net_attach[8];       /* "clsact", "tcx", or empty: what the kernel has (net/attach.h) */
};

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct ctx {
	struct node node;
	char bootid[40];  /* the kernel's boot id */
	bool verbose;     /* -v: each step with its time goes to stderr */
	int oplog;        /* operation log, append-only descriptor, -1 = none */
	int cancel;       /* readable = give up; -1 = none */
	uint64_t deadline; /* CLOCK_MONOTONIC ns, 0 = none */
	const char *libexec; /* directory of zoneadmd, zinit, cloister-unpack */
	const char *self;    /* absolute path of the cloister program */
	char unfinished[37]; /* the VM of which clearing up has failed last: not tried twice by one command */
	void (*log)(const struct ctx *, enum log_level, const char *text);
	/* done and total in units of the operation's own; total 0 = not known. NULL = nobody looks. */
	void (*progress)(const struct ctx *, const char *what, uint64_t done, uint64_t total);
};

/*
 * Fills the paths for the node called name (NULL: $CLOISTER_NODE, else "default"), then applies <etc>/node.conf
 * (lines "id_base=N", "id_count=N", "pool=/path",
 * "usage_interval=S", "throttled_after=S", "vnc_host=ADDRESS", "balloon_below=PERCENT", "net_attach=WAY"). -EINVAL for a bad name or line.
 */
int ctx_init(struct ctx *c, const char *name, struct err *e);
void ctx_done(struct ctx *c);
/* Logs one line: to c->log, and to the operation log with the time and our pid. */
void ctx_log(const struct ctx *c, enum log_level l, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* 0, -ECANCELED or -ETIME: long work asks this between its pieces. */
int ctx_check(const struct ctx *c, struct err *e);

#endif
