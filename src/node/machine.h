/* SPDX-License-Identifier: MPL-2.0 */
/* A VM that is a machine (brand kvm): its monitor as the one process of a zone, asked through its control socket. */
#ifndef CLOISTER_NODE_MACHINE_H
#define CLOISTER_NODE_MACHINE_H

#include <jansson.h>

#include "hvm/qmp.h"
#include "node/vm.h"
#include "zone/spec.h"

/* Of a record that is new, and of no concern to other brands: disks are filled in, what can't be had here is refused by name. */
int machine_check(struct ctx *c, json_t *rec, const json_t *payload, struct err *e);
/* The same of a record that takes the place of v's, made by payload. */
int machine_check_update(struct vm *v, json_t *rec, const json_t *payload, struct err *e);
/*
 * 1 = what its record says of processors, memory, firmware, kernel and screen is not what it was started with. sizes: nor is how many and how much, of which
 * it may have got more or less since.
 */
int machine_changed(const struct vm *v, bool sizes, struct err *e);
/* Its control socket; -ESRCH: it has ended. */
int machine_call(const struct vm *v, int ms, struct qmp *q, struct err *e);
/*
 * machine_start.c: the record with what this start alone is given, [{"key": "cdrom", "value": "/iso/x.iso,ide"}, …]; keys are order,
 * once, cdrom and disk. New reference. What firmware boots from after the first boot, where that is once another.
 */
int machine_start_with(struct vm *v, const json_t *opts, json_t **rec, struct err *e);
int machine_order_later(const json_t *rec, struct qmp *q, struct err *e);
/* Says so where it is to boot from what nothing boots from. */
void machine_boot_warn(struct ctx *c, const json_t *rec);
/*
 * machine_agent.c: 1: it has an agent that listens. What a guest has written is on its disks, and it writes no more until it is thawed, which is for the
 * caller to do, whatever comes (freeze.h). All wait seconds, not more.
 */
int machine_agent(struct vm *v, struct err *e);
int machine_freeze(struct vm *v, struct err *e);
int machine_thaw(struct vm *v, struct err *e);
/* Its clock is the host's; 0 also where there is no agent. */
int machine_set_clock(struct vm *v, struct qmp *q, struct err *e);
/* The rest of the spec: nothing but the program, what it is linked with, and its descriptors. */
int machine_spec(struct vm *v, struct zspec *z, struct err *e);
/*
 * "kvm" or "tcg" for a boot now: as the record says, else what the host can do. -ENOTSUP: kvm is asked for and
 * can't be had. 1 = it is tcg because the host was too busy to find out.
 */
int machine_accelerator(const json_t *rec, bool *kvm, struct err *e);

/*
 * Waits until the monitor answers, takes from the zone what it needed to start, and only then lets the guest run. Where it has
 * ended instead, its last words are the error.
 */
int machine_release(struct vm *v, struct err *e);
/*
 * The same of one whose command was killed on the way there, or whose guest stands because its state was written or read. 1 = nothing to do: its guest has been let
 * go. 2 = it waits for a state that nobody brings any more: vm_halt_zone().
 */
int machine_go_on(struct vm *v, struct err *e);
/*
 * 1: its guest runs, or has run since its start or its resume; 0: it waits for its first instruction, or for its state, or stands as that was
 * loaded: nothing is to be written of it or to let it go but machine_go_on(), and "state" is all that there is of its memory. The second: -EBUSY of such a one.
 */
int machine_has_run(const struct vm *v, struct qmp *q, struct err *e);
int machine_cut_off(const struct vm *v, struct err *e);
/* The power button; reset as by its button. -ESRCH: it has ended meanwhile. */
int machine_power_button(const struct vm *v, struct err *e);
int machine_reset(const struct vm *v, struct err *e);

/*
 * machine_size.c: ram and vcpus of what runs, from one record to another; ms: what a guest has to give back what becomes less, else -ETIME, and
 * to take what becomes more. *later (may be NULL): of MACHINE_RAM and MACHINE_VCPUS what waits for the next start, for want of room, or of a
 * guest that takes it. Is its own undo.
 */
enum { MACHINE_RAM = 1, MACHINE_VCPUS = 2, MACHINE_SIZE_MS = 20000 };
int machine_resize(struct vm *v, const json_t *from, const json_t *to, int ms, unsigned *later, struct err *e);
/* What v's machine, which runs, has of memory, or is about to take, MiB. -ESRCH: it has ended. */
int machine_memory(const struct vm *v, int64_t *mib, struct err *e);
/* 1: with this record v's machine, which runs, has less memory than now, and it is memory that was added; limits may follow. */
int machine_shrinks(const struct vm *v, const json_t *to, struct err *e);

/* machine_info.c: what it says of itself (status, processors, disks, screen…), added to out: all, or the types of a NULL-terminated list. */
int machine_info(const struct vm *v, const char *const *types, json_t *out, struct err *e);
/* machine_cpus.c: its processors, each with ran_ns and steal_ns of its thread where the kernel counts them. New reference. */
int machine_cpus(const struct vm *v, struct qmp *q, json_t **out, struct err *e);
/* Has the guest's balloon driver, where it has one, say every ten seconds what the guest does with its memory. */
int machine_ask_memory(struct qmp *q, struct err *e);
/* The names of these types; -EINVAL with them for one that is none. */
int machine_info_types(const char *const *types, struct err *e);

#endif
