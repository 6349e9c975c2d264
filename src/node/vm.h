/* SPDX-License-Identifier: MPL-2.0 */
/* A VM under the hands of an operation: its lock, its record and what the operation needs opened, in one place. */
#ifndef CLOISTER_NODE_VM_H
#define CLOISTER_NODE_VM_H

#include <jansson.h>

#include "base/ctx.h"
#include "brand/brand.h"
#include "hvm/accel.h"
#include "image/image.h"
#include "kern/cgroup.h"
#include "state/state.h"
#include "store/store.h"
#include "zone/zone.h"

struct qmigrate_opts;

struct vm {
	struct ctx *c;
	char uuid[37];
	int lock;
	struct state *st;
	struct store *store;      /* NULL until vm_need_store() */
	struct cg_host cg;
	bool have_cg;
	json_t *rec;              /* owned */
	char *vmstate;            /* stored part of the state; owned */
	uint32_t id_base;
	const struct brand *brand;
	struct image image;       /* vm_need_image() */
	bool have_image;
	bool killed;              /* vm_stop() has killed its zone before all else; run says how that was found */
	struct vm_ending *ending; /* and what goes on about it in a thread: vm_halt_start(); owned */
	int sig;                  /* what asks its init to end, where vm_stop() has found that out ahead; 0 = not known */
	bool awaited;             /* vm_boot_zone() started an init that says when it is up, and somebody waits for it */
	struct zone_run run;      /* as it was when the lock was taken */
	struct zone_ahead ahead;
	struct accel_probe probe; /* of KVM, begun ahead for what is likely to be a machine */
	char *resolvers;          /* resolvers_look(); owned */
	bool looked;              /* and it was called */
	uint64_t log_mark;        /* bytes of its console log when the spec was made: what a monitor says at its start lies behind */
	struct {
		const json_t *layout; /* NULL = a boot is one from the beginning */
		const json_t *seed;   /* in base64: the NoCloud disk that the guest has, whatever its record says by now; NULL = of its record */
		int fd;
		const struct qmigrate_opts *opts; /* .progress; may be NULL */
		bool hold;            /* the guest is not let go: machine_go_on() */
	} incoming;               /* machine_state.h */
	struct zspec *spec;       /* between vm_begin_zone() and vm_boot_zone(); owned */
};

#define VM_INIT \
	((struct vm){.lock = -1, .incoming = {.fd = -1}, .ahead = {.go = -1, .reply = -1}, .probe = {.pidfd = -1, .said = -1}})
#define _vm_    __attribute__((cleanup(vm_close)))

/* WRITE opens the database for writing; BOOT: as vm_ahead(), where it does not run */
enum { VM_LOOK = 0, VM_LOCK = 1, VM_WRITE = 2, VM_BOOT = 4 };

/* word: uuid, alias or prefix. -ENOENT: "<word>: No such zone configured". */
int vm_open(struct ctx *c, const char *word, unsigned flags, struct vm *v, struct err *e);
/* Its second half, for who has uuid, lock and run already: the record, for writing. */
int vm_open_held(struct vm *v, struct err *e);
void vm_close(struct vm *v);
/*
 * For a VM that is likely to be booted and surely doesn't run, its lock held: zoneadmd and the zone's cgroups, made while
 * the caller goes on. dropped: what was made and not used by vm_begin_zone() is taken away; vm_close() does that too.
 */
void vm_ahead(struct vm *v);
int vm_ahead_drop(struct vm *v, struct err *e);
int vm_need_store(struct vm *v, struct err *e);
int vm_need_cg(struct vm *v, struct err *e);
/* The same, looked up anew: for a boot. */
int vm_find_cg(struct vm *v, struct err *e);
/* The image the VM stands on: image_uuid, or the platform's for sparse brands. */
int vm_need_image(struct vm *v, struct err *e);
/* Zonepath below the pool: "<pool>/<uuid>"; free(). */
char *vm_path(const struct vm *v, const char *below);
/* Writes the record to the pool beside the zone's data (not durable: the database is the authority). */
int vm_record_save(struct vm *v, struct err *e);
/* "web01 (0a5f…)" or the uuid: how messages name it. Static storage inside v is not used: free(). */
char *vm_name(const struct vm *v);

/* Whether an init that died is started again: yes, but for a docker image's entrypoint, unless the record says. */
bool vm_restart_init(const json_t *rec);
/* record + brand + image → spec; cgroups must be found (vm_need_cg), the image too. */
int vm_spec(struct vm *v, struct zspec *z, struct err *e);
/* What init of this VM is, by looking into its root without following a link out of it. */
enum init_kind vm_init_kind(struct vm *v);
/* Devices of the record as a cgroup list with the standard ones, and as nodes. */
int vm_devices(const json_t *rec, struct cg_dev **cg, size_t *ncg, struct zdev **dev, unsigned *ndev, struct err *e);
/* One filesystems entry as a mount. The strings are owned by m. */
int vm_fs_mount(const json_t *fs, struct zmount *m, struct err *e);
/* A folder of the host, to be written, where a setuid file that the zone's root makes works for the host's users. */
bool vm_fs_lends_suid(const json_t *fs);
/* Whether a type of file system is in fs_allowed. */
bool vm_fs_allowed(const json_t *rec, const char *type);
/* What a record asks of the host and no zone can have: -ENOTSUP with the reason. */
int vm_grants_check(const json_t *rec, struct err *e);

/*
 * Cgroups with limits and devices; spec; zoneadmd, which makes namespaces from now on: all that needs no root. Lock
 * held. What is begun and not booted ends with vm_halt_zone().
 */
int vm_begin_zone(struct vm *v, uint64_t init_restarts, struct err *e);
/* The zone running; begins it where that was not done. Lock held. */
int vm_boot_zone(struct vm *v, uint64_t init_restarts, struct err *e);
/* Everything of the running zone away: processes, cgroups, run directory. Lock held, also when nothing runs. */
int vm_halt_zone(struct vm *v, struct err *e);
/*
 * halt.c: where v->killed is set, all of that but the run directory, in a thread; v's cg and run are filled and not changed
 * meanwhile. vm_halt_zone() waits for it and does the rest; vm_close() waits only.
 */
void vm_halt_start(struct vm *v);
int vm_halt_join(struct vm *v, struct err *e);
/* Its console and platform logs. */
int vm_logs_remove(struct vm *v, struct err *e);

#endif
