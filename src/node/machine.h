/* SPDX-License-Identifier: MPL-2.0 */
/* A VM that is a machine (brand kvm): its monitor as the one process of a zone, asked through its control socket. */
#ifndef CLOISTER_NODE_MACHINE_H
#define CLOISTER_NODE_MACHINE_H

#include <jansson.h>

#include "node/vm.h"
#include "zone/spec.h"

/* Of a record that is new, and of no concern to other brands: disks are filled in, what can't be had here is refused by name. */
int machine_check(struct ctx *c, json_t *rec, const json_t *payload, struct err *e);
/* The same of a record that takes the place of another. */
int machine_check_update(const json_t *old, const json_t *rec, bool running, struct err *e);
/* The rest of the spec: nothing but the program, what it is linked with, and its descriptors. */
int machine_spec(struct vm *v, struct zspec *z, struct err *e);
/* "kvm" or "tcg" for a boot now: as the record says, else what the host can do. -ENOTSUP: kvm is asked for and can't be had. */
int machine_accelerator(const json_t *rec, bool *kvm, struct err *e);

/*
 * Waits until the monitor answers, takes from the zone what it needed to start, and only then lets the guest run. Where it has
 * ended instead, its last words are the error.
 */
int machine_release(struct vm *v, struct err *e);
/* The same of one whose command was killed on the way there. 1 = nothing to do: its guest has been let go. */
int machine_go_on(struct vm *v, struct err *e);
/* The power button; reset as by its button. -ESRCH: it has ended meanwhile. */
int machine_power_button(const struct vm *v, struct err *e);
int machine_reset(const struct vm *v, struct err *e);
/* What it says of itself: status, processors, disks, accelerator; added to out. */
int machine_info(const struct vm *v, json_t *out, struct err *e);

#endif
