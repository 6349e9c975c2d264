/* SPDX-License-Identifier: MPL-2.0 */
/*
 * zoneadmd: two small processes per running zone.
 *
 *	vmadm ──spawn──▶ zoneadmd (keeper) ──clone3──▶ init of the zone
 *	                    │  └─fork──▶ zoneadmd --worker      its parts: console server, … (part.h)
 *	                    └─fork──▶ cloister zone-ended       when init is gone and nobody has asked for it
 *
 * The keeper builds the zone, then only waits: it holds what must not be lost (init's parenthood, the build namespace,
 * the console's master, the listening socket). Single-threaded, static, libc only.
 *
 * Every boot is a list of stages; each failure carries its stage. What the keeper makes lives in namespaces and
 * descriptors of its own, so its death undoes all of it, but for init, which dies with its socket until it is exec'd.
 */
#ifndef CLOISTER_ZONEADMD_H
#define CLOISTER_ZONEADMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "zone/spec.h"

/* Descriptors at fixed numbers, the same in keeper and worker, so that an adopting keeper finds them (pidfd_getfd). */
enum { FD_SPEC = 3, FD_STATUS = 4, FD_LOCK = 5, FD_MDATA = 9, FD_BUILD_NS = 10, FD_MASTER = 11, FD_LISTEN = 12, FD_CONTROL = 13, FD_INIT = 14,
       FD_RUN = 15, FD_NOTIFY = 16, FD_VIEW = 17, FD_CALLS = 18, FD_LISTENERS = 19, FD_FREE = 20 };

#define JOIN_MAX 16
struct boot {
	struct zspec z;
	const char *libexec;
	uint64_t step_ns;      /* when the stage began */
	uint64_t told_ns;      /* when the command last heard of steps */
	struct buf steps;      /* of which it has not heard yet */
	int status;            /* to the command: steps, then the verdict */
	int go;                /* from the command: its second letter, the root is there */
	int host;              /* pidfd of the command: the way back to the host's namespaces */
	bool in_sup;           /* born in the v2 cgroup of supervisors */
	int run_dir;           /* the host's, opened before its mounts are left */
	struct buf filter;     /* seccomp program */

	pid_t init;
	int init_fd;           /* pidfd */
	int sock;              /* to init, until exec */
	int join[JOIN_MAX], njoin; /* cgroup files that init writes itself into */
	int userns;            /* init's user namespace, for idmapping */

	int own, all;          /* the tmpfs of which the zone sees folders only */
	int root, dev, pts, proc, sys; /* mounts */
	int null, empty;       /* what masks: a null device, an empty folder */
	bool null_placed, empty_placed;
	int *live;             /* ZM_LIVE mounts by index of z.mounts, -1 = none */
	int *fds;              /* what init is born with, by index of z.fds */
	int master;
	int build_ns;
	int notify;            /* what init says when it is up */
	int mdata;             /* listens for what the zone asks the metadata service; -1 = a machine asks by its serial port */
	pid_t view_pid;        /* who reads its names */
	int view_pidfd;
	int listener;          /* of the zone's calls that are answered by us; -1 = this kernel has none */
	int view, view_dev;    /* mount and connection of what it sees of itself; -1 = this kernel has no FUSE */
};

/*
 * build_own.c: the tmpfs whose folders lie here and there in the zone; b->own, b->all. One such folder, new, as a mount
 * of its own, detached; id: host id of its owner.
 */
int build_own(struct boot *b, struct err *e);
int own_folder(int tmpfs, const char *name, unsigned mode, uint32_t id, struct err *e);
/* build_root.c: attaches the root below run_dir in the build namespace; b->root. */
int build_root(struct boot *b, struct err *e);
/* build_enter.c: b->root in the place of the host's root, of whose mounts none is left; b->root is what "/" is then. */
int build_enter(struct boot *b, struct err *e);
/*
 * overlay.c: makes overlays mounted from now on work as this id, 0 = as before; and a read-only overlay over layers
 * ("a:b", uppermost first), idmapped by userns. The caller has a mount namespace of its own.
 */
int overlay_as(uint32_t id, struct err *e);
int overlay_view(const char *layers, uint32_t id_base, int userns, struct err *e);
/* build_dev.c: /dev, /dev/pts, the console's pty, the nodes of the spec; b->null. */
int build_pts(struct boot *b, struct err *e);
int build_dev(struct boot *b, struct err *e);
int dev_make(int dev, const struct zdev *d, uint32_t id_base, struct err *e);
/* build_kernel.c: proc, sysfs, cgroup2, mqueue, made inside init's namespaces; sysctls, lo, masks. */
int build_kernel(struct boot *b, struct err *e);
/* Covers the file or folder `on` by nothing. */
int build_cover(struct boot *b, bool folder, int on, struct err *e);
/* The zone's proc, not yet attached; b->proc. */
int build_proc(struct boot *b, struct err *e);
/*
 * Those of the spec, read back, by the root of the zone's namespaces. proc is the zone's: in the host's each zone would
 * leave names that all hash alike, and every zone that starts would look through those of all.
 */
int sysctls_set(const struct zspec *z, int proc, struct err *e);
/* build_view.c: what the zone sees of itself, mounted; and its files, over those of b->proc and b->sys. */
int build_view(struct boot *b, struct err *e);
/* Answers what its making asks, without waiting; and what undoes it. */
int build_view_serve(struct boot *b);
void build_view_undo(struct boot *b);
int build_view_files(struct boot *b, struct err *e);
/* build_mount.c: what the spec lists, and /.zonecontrol. */
int build_mounts(struct boot *b, struct err *e);
int build_live(struct boot *b, struct err *e);
int build_control(struct boot *b, struct err *e);
/* build_fds.c: what the spec hands to init, opened while the host's mounts are still there; and by init, taken to its numbers. */
int build_fds(struct boot *b, struct err *e);
/* Those that the command sends. */
int build_fds_sent(struct boot *b, struct err *e);
int init_fds(const struct zspec *z, int sock, struct err *e);
/* mounts.c: the list of mounts that may be taken away while the zone runs. */
struct mount_rec {
	int id;                    /* as mountinfo has it */
	unsigned long long unique; /* 0 = the kernel has none */
};
void mounts_line(int mnt, const char *target, struct buf *out);
int mounts_put(int run_dir, const struct buf *text, struct err *e);
int mounts_add(int run_dir, int mnt, const char *target, struct err *e);
int mounts_forget(int run_dir, const char *target, struct err *e);
int mounts_find(int run_dir, const char *target, struct mount_rec *out, struct err *e); /* -ENOENT */
/* A detached mount with its final flags; -ENOENT for a source that is not there. */
int zmount_make(const struct zmount *m, uint32_t id_base, int userns, struct err *e);
/* The place for it below root, made if it is missing. file: a file is wanted. */
int zmount_target(int root, const char *target, bool file, uint32_t id_base, struct err *e);

/* init_child.c: the zone's init, from clone3 to exec; never returns. sock is its only descriptor that counts. */
void init_child(struct boot *b, int sock) __attribute__((noreturn));
/* Over the socket go: keeper → init a letter, init → keeper a struct err. code 0 = the stage is done. */
/* init_user.c: "uid:gid" or names, resolved in the zone's own files, by the zone's root inside. */
struct init_ids {
	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	size_t ngroups;
	char home[256];
};
int init_user(const char *spec, struct init_ids *out, struct err *e);
/* init_files.c: the files of the spec, as the zone's root, inside. */
int init_files(const struct zspec *z, struct err *e);
/* One of them; nothing is done if it is so already. */
int init_file(const struct zfile *f, struct err *e);

/* A command has asked for the zone's end, and sees to what comes after it. */
bool run_halting(void);
/* build.c: what needs no spec; then all stages up to init's exec. On failure nothing is left. */
int build_ahead(struct boot *b, struct err *e);
int build_zone(struct boot *b, struct err *e);
void step_done(struct boot *b, const char *name);
/* What the command has not heard of the steps. */
void steps_tell(struct boot *b);

/* boot.c: --boot and --adopt: from the command's request to a keeper that keeps; do not return on success. */
/*
 * Waits for a letter on FD_SPEC first, then opens spec in its place; ends if there comes none. The second letter says
 * that the rest is there too: the zone's root, its limits. sup: the v2 cgroup of supervisors to be born in, NULL = it
 * may not be there yet.
 */
int boot_main(const char *uuid, const char *spec, const char *sup);
/* The run directory's lock, held for life: two keepers of one zone can't be. */
int boot_claim(int run_dir, struct err *e);
int adopt_main(const char *uuid);
/* adopt_mdata.c: listens for what the zone asks, where keeper and worker have died together; -1 = it can't be had. */
int adopt_mdata(const struct zspec *z, int run_dir, int init_fd);
/* keeper.c: --keep; worker.c: --worker; live.c: --live. */
int keeper_main(const char *uuid, pid_t init, bool child, uint64_t boot_ns);
int worker_main(const char *uuid, const char *log_dir, uint64_t log_max);
int live_main(int argc, char **argv);

/*
 * listeners.c: listeners of system calls (kern/notify.h), of the zone's init and of each login, at whatever numbers they
 * have: from FD_LISTENERS on where a keeper begins. Calls each for those among the descriptors of that process, 0 = our own.
 */
void listeners_each(pid_t pid, void (*each)(int number, void *arg), void *arg);
/* The socket to which a login sends its own, in the run directory; in place of what is there. */
#define CALLS_SOCK "calls.sock"
int listeners_socket(int run_dir, struct err *e);

/* keeper_calls.c: what the keeper does about them: it holds them, and hands on to the worker what comes. */
struct pollfd;
#define KEPT_FDS 3
void kept_start(void);
/* Fills in KEPT_FDS to wait for; control: to the worker, -1 = there is none. And what to do when any has something. */
void kept_poll(struct pollfd *p, int control);
void kept_ready(const struct pollfd *p, int control);

/*
 * keeper_tell.c: `cloister zone-ready` and `zone-scripts`, not waited for; `cloister zone-ended`, negative errno: it could not be called, or was
 * killed. And what each child of the keeper begins with: no signal is blocked.
 */
void keeper_call_ready(const struct zspec *z);
void keeper_call_scripts(const struct zspec *z);
int keeper_call_ended(const struct zspec *z);
/* platform.log, for adding to it; begun anew when it is full, with one before it kept. -1: it can't be had. */
int platform_log(const char *log_dir);
void keeper_signals(void);

/* text_back.c: gives the host back what of the program is not in use now. */
void text_back(void);

/* fds.c */
/* Occupies what is free of 5 to FD_FREE - 1 (a VM's lock may be there), closes the rest: whatever is opened later can't take a fixed number. */
int fds_reserve(void);
/* Gives fd the fixed number, in place of the placeholder; stays open across exec. Negative fd: the number is closed. */
int fd_fix(int fd, int number);
/*
 * For what comes over a socket: it gets the lowest number that is free, and that may be a fixed one, which a worker or an adopting keeper
 * would put something else in the place of, or take it for that. fd is taken over; its new number, or negative errno.
 */
int fd_up(int fd);
/* Spec at FD_SPEC. */
int spec_read(struct zspec *z, struct err *e);
/* Replaces name below dir in one rename. */
int put_file(int dir, const char *name, const struct buf *text, struct err *e);
/* "err …" for the command that waits. */
void say_err(int fd, const struct err *e);

#endif
