/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One face for cgroups, hybrid (v1 controllers + v2 tree) and pure v2.
 *
 *	<cloister>/<uuid>          limits; root's; no processes (v1: the processes are here)
 *	<cloister>/<uuid>/zone     v2: root of the zone's cgroup namespace, delegated
 *	<cloister>/<uuid>/login    v2: zlogin sessions; there from the first one on
 *	<cloister>/<uuid>/all/     where v2 has memory and pids: those limits, and in it zone and login
 *	<cloister>/_sup            keepers and workers, in every hierarchy
 *
 * The v2 tree always gives identity, kill, freeze and pressure; a limit goes to whichever hierarchy holds the
 * controller. Every limit is read back after it is written; -ENOTSUP names the controller that is missing.
 */
#ifndef CLOISTER_KERN_CGROUP_H
#define CLOISTER_KERN_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"

enum cg_ctl { CG_CPU, CG_CPUACCT, CG_CPUSET, CG_MEMORY, CG_PIDS, CG_BLKIO, CG_CTLS };
#define CG_OTHER_MAX 10

/* The machine's layout, found once per process: where v2 is, which controllers are v1 and where, and the node's root. */
struct cg_host {
	char v2[128];            /* "/sys/fs/cgroup/unified" or "/sys/fs/cgroup" */
	char v1[CG_CTLS][128];   /* mount of a v1 controller, "" = not v1 */
	bool in_v2[CG_CTLS];     /* controller is on v2 */
	char root[192];          /* path of the node's cgroup below the mount: "cloister" or "system.slice/cloister.service/…" */
	bool swap;               /* swap accounting is there */
	char other[CG_OTHER_MAX][64]; /* v1 hierarchies that limit nothing of ours: devices, freezer, name=systemd, … */
	unsigned nother;
	char deleg[192];         /* cgroup systemd delegates to us, below the mount; "" = none: we own the root's child */
};
int cg_host_find(const struct ctx *c, struct cg_host *h, struct err *e);
/* The same, as it was kept when a zone was booted last, if the mounts that it names are still there. */
int cg_host_known(const struct ctx *c, struct cg_host *h, struct err *e);
void cg_host_keep(const struct ctx *c, const struct cg_host *h);
/* The pure part: mounts and controllers. mountinfo: text of /proc/self/mountinfo; -ENOTSUP without a v2 tree. */
int cg_host_parse(const char *mountinfo, struct cg_host *h, struct err *e);

/* Makes the node's root and _sup in all hierarchies, enables controllers downwards on v2. Cheap when done already. */
int cg_node_make(const struct cg_host *h, struct err *e);
/* Has cg_node_make() been here since the machine's start? */
bool cg_node_made(const struct cg_host *h);
/* Makes <uuid> and zone. Those that are there stay as they are. */
int cg_zone_make(const struct cg_host *h, const char *uuid, struct err *e);
/*
 * Chowns what is delegated (zone: directory, cgroup.procs, cgroup.threads, cgroup.subtree_control) to id_base. controllers:
 * on v2 the zone can set limits of its own in its own tree, which costs it a memory cgroup more.
 */
int cg_zone_delegate(const struct cg_host *h, const char *uuid, uint32_t id_base, bool controllers, struct err *e);
/* Kills all members, waits until empty (deadline ms), removes all. Missing ones are fine. */
int cg_zone_destroy(const struct cg_host *h, const char *uuid, int deadline_ms, struct err *e);
int cg_zone_kill(const struct cg_host *h, const char *uuid, struct err *e);  /* SIGKILL to all, also frozen ones */
int cg_zone_freeze(const struct cg_host *h, const char *uuid, bool on, struct err *e);
/* Waits until no keeper, worker or other helper of this node is left; -ETIME after ms. */
int cg_sup_wait(const struct cg_host *h, int ms);
/* 1 if any process is in it, 0 if not or no such cgroup. */
int cg_zone_populated(const struct cg_host *h, const char *uuid);
/* Is this process in the zone, now? */
bool cg_zone_has(const struct cg_host *h, const char *uuid, pid_t pid);
/* The pure part: does this text of a /proc/PID/cgroup say so? */
bool cg_text_has(const char *text, const char *root, const char *uuid);
/* The zone whose the v2 line says it is; false: none of the node's. */
bool cg_text_zone(const char *text, const char *root, char uuid[37]);
/* Each process of the zone, in no order; some may have gone, some may have come. A negative return ends the walk. */
int cg_zone_each(const struct cg_host *h, const char *uuid, int (*each)(pid_t pid, void *arg, struct err *e), void *arg, struct err *e);

/*
 * Where a process has to be put: absolute paths of cgroup.procs files, at most CG_JOIN_MAX; returns how many. The v2
 * one is the last, except for CG_PLACE_ZONE, where it is left out (CLONE_INTO_CGROUP, or <uuid>/zone/cgroup.procs).
 * uuid may be NULL for CG_PLACE_SUP. cg_join() writes pid (0 = the caller) to all of them, v2 included.
 *
 * v1 files are `tasks`: a process of one thread that writes "0" there moves itself in 0.02 ms, because the kernel need
 * not hold up every fork and exit on the machine for it; a pid in cgroup.procs costs 4 to 16 ms unless another move
 * came just before. For v2 clone3 with CLONE_INTO_CGROUP is the cheap way; its cgroup.procs is the dear one.
 */
enum cg_place { CG_PLACE_ZONE, CG_PLACE_LOGIN, CG_PLACE_SUP };
#define CG_JOIN_MAX  (CG_CTLS + CG_OTHER_MAX + 1)
/* Where the zone's own tree begins, below <uuid>. */
const char *cg_zone_below(const struct cg_host *h);
int cg_join_paths(const struct cg_host *h, enum cg_place p, const char *uuid, char out[CG_JOIN_MAX][256]);
int cg_join(const struct cg_host *h, enum cg_place p, const char *uuid, pid_t pid, struct err *e);

/*
 * For a login (paths of CG_PLACE_LOGIN) into a zone whose memory or processes are used up: puts a small cgroup of its own
 * in the place of the zone's, for that v1 controller alone. 0 = there is room; else which. done: takes it away if nobody
 * is left in it (cg_zone_destroy does that too, whoever is left).
 */
enum { CG_RESCUE_MEMORY = 1, CG_RESCUE_PIDS = 2 };
int cg_rescue(const struct cg_host *h, const char *uuid, char path[CG_JOIN_MAX][256], int n, struct err *e);
void cg_rescue_done(const struct cg_host *h, const char *uuid);

/*
 * Whether this host could hold it, as far as that is known while no such zone runs: 0, or what the same limit's cg_set_x
 * would say. That others have what is wanted just now, and what a zone uses, is not asked. both: there is a max_swap.
 */
int cg_can_shares(const struct cg_host *h, uint64_t shares, struct err *e);
int cg_can_memory(const struct cg_host *h, bool both, struct err *e);
int cg_can_reserve(const struct cg_host *h, uint64_t bytes, struct err *e);
int cg_can_cpus(const struct cg_host *h, const char *want, struct err *e);
struct cg_io;
int cg_can_io(const struct cg_host *h, const struct cg_io *io, const dev_t *dev, size_t n, struct err *e);
/* The controller alone, by name. */
int cg_can(const struct cg_host *h, enum cg_ctl ctl, const char *prop, struct err *e);

/* Limits on <uuid>. Each writes, reads back, and fails if the kernel holds something else. */
/* v1: 1:1, at least 2; v2: the weight, at least 1, and above 10000 is -ENOTSUP. 0 means the least. */
int cg_set_cpu_shares(const struct cg_host *h, const char *uuid, uint64_t shares, struct err *e);
int cg_set_cpu_cap(const struct cg_host *h, const char *uuid, uint64_t percent, struct err *e); /* of one CPU; 0 = none */
int cg_set_memory(const struct cg_host *h, const char *uuid, uint64_t phys, uint64_t phys_and_swap, struct err *e); /* bytes; 0 = none */
/* Not reclaimed while the zone uses no more. -ENOTSUP on v1, and where what is above is not protected. */
int cg_set_reservation(const struct cg_host *h, const char *uuid, uint64_t bytes, struct err *e);
int cg_set_pids(const struct cg_host *h, const char *uuid, uint64_t max, struct err *e); /* 0 = none */
/*
 * Processors that nobody else uses: how many ("2"), which ("0-3,8"), or NULL, none of its own. -ENOTSUP without v2's cpuset
 * partitions, -ENXIO, -EBUSY when they are not there, then with those that it had before.
 */
int cg_set_cpus(const struct cg_host *h, const char *uuid, const char *want, struct err *e);
/*
 * I/O: ceilings a second on all these devices together, 0 = none, and a weight, 0 = as everybody. -ENOTSUP with a hint when
 * no scheduler of a device weighs.
 */
enum { CG_IO_READ_BPS, CG_IO_WRITE_BPS, CG_IO_READ_IOPS, CG_IO_WRITE_IOPS, CG_IO_CEILINGS };
struct cg_io { uint64_t ceiling[CG_IO_CEILINGS], weight; bool weight_given; };
int cg_set_io(const struct cg_host *h, const char *uuid, const struct cg_io *io, const dev_t *dev, size_t n, struct err *e);
/* Where they are put, for the two below: -ENOTSUP without the controller. The cgroup may not be there. */
int cg_io_dir(const struct cg_host *h, const char *uuid, char *out, size_t size, bool *v2, struct err *e);
/* One of the ceilings; one that is so already is not written. */
int cg_io_ceiling(const char *dir, bool v2, unsigned k, uint64_t v, const dev_t *dev, size_t n, struct err *e);
/* As the kernel holds them, of these devices together; 0 = none. -errno, no message. */
int cg_io_held(const char *dir, bool v2, const dev_t *dev, size_t n, uint64_t out[CG_IO_CEILINGS]);
/* What the zone has used of each since its boot; -errno, no message. v1: what the ceilings bind, writeback is not in it. */
int cg_io_used(const char *dir, bool v2, const dev_t *dev, size_t n, uint64_t out[CG_IO_CEILINGS]);
/* The pure part: read and written of these devices in such a file. */
void cg_text_io_of(const char *text, bool v2, bool ops, const dev_t *dev, size_t n, uint64_t out[2]);
/*
 * What the kernel holds. Limits: UINT64_MAX = none (cpu_cap: 0 = none). swap_limit bounds memory and swap together and
 * is UINT64_MAX where swap is not accounted. A zone without cgroups is -ENOENT.
 */
struct cg_usage {
	uint64_t cpu_ns, mem_bytes, mem_limit, mem_peak, pids, pids_limit, cpu_shares, cpu_cap, oom_kills;
	uint64_t swap_limit, mem_swap_bytes; /* memory and swap together */
};
int cg_usage(const struct cg_host *h, const char *uuid, struct cg_usage *out, struct err *e);

/* Devices that may be opened below <uuid>: a BPF_PROG_TYPE_CGROUP_DEVICE program on the v2 cgroup; replaced atomically. */
struct cg_dev { char type; /* 'c' 'b' */ uint32_t major, minor; /* UINT32_MAX = any */ unsigned access; /* 1 mknod 2 read 4 write */ };
/* null, zero, full, random, urandom, tty, console, ptmx and ptys: what every zone may open. */
const struct cg_dev *cg_devices_default(size_t *n);
int cg_set_devices(const struct cg_host *h, const char *uuid, const struct cg_dev *d, size_t n, struct err *e);

#endif
