/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a zone is made of, as one flat text that the command writes and zoneadmd reads: the only interface between
 * them. Records "key\tvalue\tvalue…\n", fields escaped with \t \n \\; unknown keys are an error, so a spec never
 * means less than its writer meant. Libc only: zoneadmd links this and little else.
 */
#ifndef CLOISTER_ZONE_SPEC_H
#define CLOISTER_ZONE_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

enum zmount_kind {
	ZM_BIND,   /* source: global zone path, followed by the global zone's rules; options recursive no */
	ZM_TMPFS,  /* options "size=…,mode=…"; owned by the zone's root */
	ZM_FS,     /* a filesystem type of the host's (ext4, xfs, btrfs): source is a block device, data = options */
	ZM_OVERLAY, /* read-only overlay of source: paths of the global zone, one a line, uppermost first; idmapped */
	ZM_FOLDER, /* the zone's root's folder in one of the zone's two tmpfs, source: "own" or "all"; data = its mode, octal */
};
enum { ZM_RO = 1, ZM_NODEV = 2, ZM_NOSUID = 4, ZM_NOEXEC = 8, ZM_IDMAP = 16, ZM_FILE = 32, ZM_OPTIONAL = 64, ZM_MASK = 128,
       ZM_LIVE = 256, /* attached after the zone's copy was made: flags are locked, but it can be taken away live */
       ZM_ALL = 511 };

struct zmount {
	enum zmount_kind kind;
	char *source, *target, *fstype, *data; /* target: absolute path in the zone, made if missing, never through a link that leaves the root */
	unsigned flags;
};
struct zdev { char *name; /* below /dev */ char type; uint32_t major, minor; unsigned mode; };
struct zfile { char *path; unsigned mode; char *text; }; /* written as the zone's root, inside, before init: existing ones replaced */
/* A descriptor that init is born with, from 4 on: all of the host that a machine monitor has. */
enum zfd_kind {
	ZFD_FILE,   /* of the host, to be read and written; a name without a / at its beginning: in run_dir */
	ZFD_FILE_RO,
	ZFD_LISTEN, /* a stream socket that listens below run_dir, for root of the host alone */
	ZFD_SENT,   /* what the command sends when it has made the zone's links, in this order; path: a name for people */
};
struct zfd { unsigned number; enum zfd_kind kind; char *path; };
#define ZFD_MIN 4
#define ZFD_MAX 255
struct zsysctl { char *name, *value; };                   /* "kernel/shmmax", set in the zone's namespaces, then locked */

struct zspec {
	char *uuid, *zonename, *hostname, *domain, *brand;
	uint64_t zoneid;
	uint32_t id_base;          /* host id of 0; 65536 ids */
	char *run_dir;             /* /run/cloister/<uuid>: sockets, pid files */
	char *log_dir;             /* console.log, platform.log */
	uint64_t log_max;          /* bytes per log file before it is rotated once */
	char *bootid;
	char *cloister;            /* program to call when the zone has ended: `<cloister> --node N zone-ended UUID …` */
	char *node;

	/* root: private = bind of root_path; shared = overlay of lowers (first is uppermost) with upper and work */
	bool shared;
	char *root_path;
	char **lower;   /* NULL-terminated */
	char *upper, *work;
	bool root_ro;
	bool root_empty;           /* instead of all these: an empty folder with what is mounted on it, read-only once that is done */

	/* options "size=…,nr_inodes=…" of the tmpfs that are seen by folder only: what the zone's root alone writes to (/dev and
	 * /.zonecontrol are in it, NULL = just large enough for them), and what everybody does (NULL = none) */
	char *own, *all;
	struct zmount *mounts;  unsigned nmounts;   /* in order, after the kernel filesystems */
	struct zdev *devs;      unsigned ndevs;
	struct zfile *files;    unsigned nfiles;
	struct zsysctl *sysctls; unsigned nsysctls;
	struct zfd *fds;        unsigned nfds;

	char **argv;            /* init; NULL-terminated. argv[0] is a path inside the zone */
	char **env;
	char *user;             /* "uid:gid" for docker images, NULL = 0:0; names are resolved inside */
	char *cwd;
	bool docker;            /* entrypoint is init: exit status kept, no restart unless restart_init */
	bool restart_init;
	uint64_t init_restarts; /* how often so far */
	char *settings;         /* what the worker is told, zone/settings.h; NULL = nothing */
	bool no_console;
	bool nics;              /* the command is told when the network namespace is there, and says when its links are */
	bool scripts;           /* `cloister zone-scripts` is called when init runs */
	bool notify;            /* init says READY=1 to /.zonecontrol/notify when it is up (sd_notify(3)): provisioning */

	char *cg_v2_zone;       /* directory: <v2>/<root>/<uuid>/zone, CLONE_INTO_CGROUP or join */
	char **join;            /* cgroup.procs files init has to be written to (v1) */
	char **sup_join;        /* cgroup.procs files for keeper and worker */
	uint64_t caps;          /* bounding set */
	char *seccomp;          /* file with the filter */
	uint64_t memlock;       /* RLIMIT_MEMLOCK bytes, 0 = leave */
	uint64_t slice;         /* time slice that its programs ask for, ns (kern/slice.h); 0 = the kernel's own */
	uint64_t nofile;        /* RLIMIT_NOFILE, 0 = leave */
	uint64_t ptys;          /* devpts max= */
	char *systemd;          /* "1": mount what a systemd inside needs (cgroup2 rw, /run tmpfs, container= env) */
};

void zspec_done(struct zspec *z); /* frees all; z itself is the caller's */
/* Text form; parse takes hostile-sized input (max 1 MiB) but only ever sees our own. */
void zspec_write(const struct zspec *z, struct buf *out);
int zspec_parse(const char *text, size_t n, struct zspec *out, struct err *e);

/* Whether a mount of the zone, for as long as it runs, is on that folder of its root. */
static inline bool zspec_covers(const struct zspec *z, const char *name)
{
	for (unsigned i = 0; i < z->nmounts; i++)
		if (!(z->mounts[i].flags & ZM_LIVE) && z->mounts[i].target[0] == '/' && !strcmp(z->mounts[i].target + 1, name))
			return true;
	return false;
}

#endif
