/* SPDX-License-Identifier: MPL-2.0 */
/* Operations on whole VMs: what vmadm's verbs do. Each takes the VM's lock, writes its events, and is a list of steps. */
#ifndef CLOISTER_NODE_VMOPS_H
#define CLOISTER_NODE_VMOPS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/ctx.h"

/* payload: one object. uuid of the new VM is filled also when a later step failed. report as in model/vm.h. */
int vm_create(struct ctx *c, const json_t *payload, char uuid[37], json_t **report, struct err *e);
/* What create or update would store, changing nothing; new reference. */
int vm_create_dry(struct ctx *c, const json_t *payload, json_t **rec, json_t **report, struct err *e);
int vm_update_dry(struct ctx *c, const char *word, const json_t *payload, json_t **rec, json_t **report, struct err *e);
/* *later (may be NULL): new array of names that take effect at the next boot. */
int vm_update(struct ctx *c, const char *word, const json_t *payload, json_t **later, json_t **report, struct err *e);
/* The object of `vmadm get`; new reference. */
int vm_get(struct ctx *c, const char *word, json_t **out, struct err *e);

/*
 * What the kernel holds for a running VM: zone, usage, limits; of a machine also what its monitor says, in "machine". types (NULL-terminated;
 * NULL = as said): of a machine, those parts alone; "all": each part on its own beside the zone's. New reference. 1: with all that the kernel
 * holds, and not what the monitor was to say; why is in "monitor".
 */
int vm_info(struct ctx *c, const char *word, const char *const *types, json_t **out, struct err *e);
/* "nmi" into its processors, or a "screenshot", whose file is in *said (free()); of a machine that runs. */
int vm_sysrq(struct ctx *c, const char *word, const char *what, char **said, struct err *e);

/* 0 done, 1 nothing to do (was running already). Sets autoboot. */
int vm_start(struct ctx *c, const char *word, const json_t *opts, struct err *e);
/* A machine (brand kvm) to disk; its next start lets it go on. 1 = it was suspended already. */
int vm_suspend(struct ctx *c, const char *word, struct err *e);
/* vm_start() of one that is suspended, and of no other. */
int vm_resume(struct ctx *c, const char *word, struct err *e);
/* timeout in seconds, -1 = the brand's. 1 = was stopped already. Clears autoboot before stopping. */
int vm_stop(struct ctx *c, const char *word, bool force, int timeout, struct err *e);
int vm_reboot(struct ctx *c, const char *word, bool force, struct err *e);
int vm_kill(struct ctx *c, const char *word, int sig, struct err *e);
int vm_delete(struct ctx *c, const char *word, struct err *e);

/* memory (may be NULL: without): of a machine that runs, its memory as well; how long its guest stood, in ms. */
int vm_snapshot_create(struct ctx *c, const char *word, const char *name, unsigned *memory, struct err *e);
/* 1 = the snapshot has the memory of its machine, which is suspended now. */
int vm_snapshot_rollback(struct ctx *c, const char *word, const char *name, struct err *e);
int vm_snapshot_delete(struct ctx *c, const char *word, const char *name, struct err *e);
/* payload: {"image_uuid": …}; root anew, record, quota and config kept. */
int vm_reprovision(struct ctx *c, const char *word, const json_t *payload, struct err *e);

/* Called by a keeper whose zone has ended by itself (reboot, power-off, init's death). */
int vm_ended(struct ctx *c, const char *uuid, struct err *e);
/* Called by a keeper whose zone's init has said that it is up, or has not within its time. 1 = not yet. */
int vm_ready(struct ctx *c, const char *uuid, struct err *e);
/* Clears what killed commands left. Called by every command that changes something; costs one open when there is nothing. */
int node_recover(struct ctx *c, struct err *e);
/* Of one VM whose lock is held: what was left since node_recover(), by a command that had the lock then. What can't be done is logged, and stays. */
int node_recover_held(struct ctx *c, const char *uuid, int lock);
/* Of one VM what an update left: on behalf of that VM, which has no claim on more. */
int node_recover_update(struct ctx *c, const char *uuid, struct err *e);
/* Attaches the pool, clears what the last boot left, starts the autoboot VMs in parallel. */
int node_boot(struct ctx *c, struct err *e);
struct cg_host;
/* Where this boot's first zone is about to be made: under systemd its unit is started, and h is found again. */
int node_home(struct ctx *c, struct cg_host *h, struct err *e);
/* Stops all VMs in order of their time limits without touching autoboot. */
int node_shutdown(struct ctx *c, struct err *e);
/*
 * pool_import(), then the database from what lies in the pool: images, VMs that it does not know, quota groups of all.
 * May be repeated, also after a kill. A VM whose record does not read or conflicts stays out, with a warning.
 */
struct node_import {
	unsigned vms, images, known, refused;
};
int node_import(struct ctx *c, const char *const *dev, size_t ndevs, struct node_import *out, struct err *e);

#endif
