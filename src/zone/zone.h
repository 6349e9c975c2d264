/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A running zone, found from the kernel and from /run/cloister/<uuid>/, never from a daemon.
 *
 *	/run/cloister/<uuid>/zone     text: bootid, zoneid, keeper pid + start time, init pid + start time, boot wall ns,
 *	                              cgroup; written by the keeper in one rename when init has been exec'd
 *	/run/cloister/<uuid>/spec     what it was booted from
 *	/run/cloister/<uuid>/halting  exists: a command is stopping it, so the keeper must not restart or tear down
 *	/run/cloister/<uuid>/ended    text: reason (exit, signal, reboot, halt, unknown), status; written by the keeper
 *	/run/cloister/<uuid>/ready    exists: its init has said that it is up (zspec.notify)
 *	/run/cloister/<uuid>/console.sock, keeper's build namespace as /proc/<keeper>/fd/10
 */
#ifndef CLOISTER_ZONE_ZONE_H
#define CLOISTER_ZONE_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"
#include "kern/cgroup.h"
#include "zone/spec.h"

enum zone_end { ZONE_END_NONE, ZONE_END_EXIT, ZONE_END_SIGNAL, ZONE_END_REBOOT, ZONE_END_HALT, ZONE_END_UNKNOWN };

struct zone_run {
	bool running;           /* init is alive (pid and start time agree, same boot) */
	bool keeper;            /* its keeper is alive */
	bool halting;
	pid_t init_pid, keeper_pid;
	uint64_t init_start, keeper_start; /* field 22 of /proc/pid/stat */
	uint64_t zoneid, boot_ns;
	enum zone_end ended;    /* from `ended`, if it is there */
	int end_status;         /* exit code, or signal number */
	uint64_t end_ns;
};

/* 0 with r filled (running=false if there is nothing); no error for a zone that does not run. */
int zone_status(const struct ctx *c, const char *uuid, struct zone_run *r, struct err *e);
/* All zones that have a run directory; cheap (one read each). */
int zone_each(const struct ctx *c, int (*each)(const char *uuid, const struct zone_run *, void *arg), void *arg, struct err *e);
/* pidfd of init, checked against its start time; -ESRCH. */
int zone_pidfd(const struct zone_run *r, struct err *e);

/*
 * A zoneadmd that waits for its spec: started before there is one, its own start costs nobody time. It touches nothing
 * until zone_begin() sets it going, and ends by itself when the command does.
 */
struct zone_ahead {
	pid_t pid;
	int go, reply;        /* go >= 0: there is one */
	int lock;             /* the VM's, the caller's; zoneadmd gets it too, until the zone runs */
	bool begun;           /* it has the spec */
	struct spawn *spawn;  /* on its way, in a thread of its own */
	/* once it has arrived: the host's cgroups were looked up here; the zone's were begun here, and are nobody else's yet; and are all there */
	bool found, cgroups, made;
	struct cg_host h;
};
#define ZONE_AHEAD_INIT ((struct zone_ahead){.go = -1, .reply = -1, .lock = -1})
/*
 * Returns at once. Best effort: should it fail, zone_begin() does it again, and says why it can't. cgroups, without h: the
 * host's are looked up too, and those of the zone made, once the node has its own. The
 * caller holds the VM's lock, and so does what is started, until its zone runs: who has it finds nothing else at work.
 */
void zone_start_ahead(const struct ctx *c, const struct cg_host *h, const char *uuid, int lock, bool cgroups, struct zone_ahead *a);
/* Whether the cgroups have been made; waits if that has begun. From then on they are the caller's, to make and to take away. */
bool zone_ahead_cgroups(struct zone_ahead *a);
/* Ends it: what has no zone by now has gone. Cgroups that nobody has taken over (a->cgroups) are there. */
void zone_ahead_done(struct zone_ahead *a);

/*
 * Writes the spec and starts zoneadmd if there is none ahead: it makes the zone's namespaces while the caller, who has
 * made the cgroups, goes on to limits and datasets. On failure, and after zone_ahead_done(), nothing of the zone runs.
 */
int zone_begin(struct ctx *c, const struct zspec *z, struct zone_ahead *a, struct err *e);
/*
 * Makes the links of a zone whose spec says nics; init is in its network namespace, and has not been exec'd. What the spec has of ZFD_SENT
 * it sends over the socket go, in that order, each with the letter f.
 */
struct zone_net {
	int (*up)(void *arg, pid_t init, int go, struct err *e);
	void *arg;
};
/*
 * The rest, with all of that there: waits until init has been exec'd or something failed. Begins where that was not
 * done. On failure nothing of the zone runs and the message is zoneadmd's own.
 */
int zone_boot(struct ctx *c, const struct zspec *z, struct zone_ahead *a, const struct zone_net *net, struct zone_run *r, struct err *e);
/* What logins of a running zone are limited to from now on (they read the spec): max_locked_memory. */
int zone_spec_memlock(const struct ctx *c, const char *uuid, uint64_t bytes, struct err *e);
/* The same for the time slice that goes with cpu_shares, ns. */
int zone_spec_slice(const struct ctx *c, const char *uuid, uint64_t ns, struct err *e);
/*
 * The zone runs but its keeper is gone (r->running && !r->keeper): starts one that takes over what the worker still
 * holds (console, build namespace) and waits for init. -EEXIST if there is a keeper.
 */
int zone_adopt(struct ctx *c, const char *uuid, struct err *e);
/* Marks it halting (so that its keeper stays out of the way). */
int zone_mark_halting(const struct ctx *c, const char *uuid, bool on, struct err *e);
/* The brand's orderly shutdown signal to init: sig. -ESRCH if it does not run. */
int zone_signal(const struct zone_run *r, int sig, struct err *e);
/* Waits for init's end on a pidfd; -ETIME after ms. */
int zone_wait(const struct ctx *c, const struct zone_run *r, int ms, struct err *e);
/* The first stroke of zone_teardown(), for who has other things to do while the kernel takes the zone apart. */
int zone_kill(struct ctx *c, const struct cg_host *h, const char *uuid, const struct zone_run *r, struct err *e);
/*
 * SIGKILL for all of it through the cgroup, waits for keeper and worker to go (not for a
 * keeper that is the caller's parent), removes cgroups and the run directory. Idempotent.
 */
int zone_teardown(struct ctx *c, const struct cg_host *h, const char *uuid, struct err *e);
/*
 * Its two halves. All but the run directory; end: what that says now of how init ended. Then the run directory.
 * killed: what zone_kill() found, for who has called it before; else NULL.
 */
int zone_end(struct ctx *c, const struct cg_host *h, const char *uuid, const struct zone_run *killed, struct zone_run *end,
	     struct err *e);
int zone_forget(struct ctx *c, const char *uuid, struct err *e);

/* Mounts and devices of a running zone, in the build namespace, so that their flags are locked inside. */
int zone_mount_add(const struct ctx *c, const struct zone_run *r, const struct zspec *z, const struct zmount *m, struct err *e);
int zone_mount_remove(const struct ctx *c, const struct zone_run *r, const char *target, struct err *e);
/*
 * Several at once, the last first, by a process that is started ahead and waits: it costs nothing when they are wanted away. Those
 * that are not there are none. Of one that was started and is not wanted done() is the end.
 */
#define ZONE_EMPTYING_MAX 16
struct zone_emptying {
	pid_t pid;
	int go, reply;
	bool begun;
	bool gone; /* they are: remove() has nothing more to do */
};
#define ZONE_EMPTYING_INIT ((struct zone_emptying){.go = -1, .reply = -1})
int zone_mounts_remove_start(const struct ctx *c, const struct zone_run *r, const char *const *targets, size_t n, struct zone_emptying *a,
			     struct err *e);
/* It may be begun before it is waited for. */
int zone_mounts_remove_begin(struct zone_emptying *a, struct err *e);
int zone_mounts_remove(const struct ctx *c, struct zone_emptying *a, struct err *e);
void zone_emptying_done(struct zone_emptying *a);
#define _emptying_ __attribute__((cleanup(zone_emptying_done)))
int zone_dev_add(const struct ctx *c, const struct zone_run *r, const struct zspec *z, const struct zdev *d, struct err *e);
int zone_dev_remove(const struct ctx *c, const struct zone_run *r, const char *name, struct err *e);
/* A file in a running zone, written inside by its own root as those of its boot are. -ETIMEDOUT: the zone does not let it. */
int zone_file_write(const struct ctx *c, const struct zone_run *r, const struct zfile *f, struct err *e);

#endif
