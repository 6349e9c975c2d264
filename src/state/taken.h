/* SPDX-License-Identifier: MPL-2.0 */
/* The index of what no two VMs may have: what taken.c and lease.c share. */
#ifndef CLOISTER_STATE_TAKEN_H
#define CLOISTER_STATE_TAKEN_H

#include "state/state.h"

#define TAKEN_KIND "taken"

/* 1 = another VM has it. all: one counts too that takes addresses from nobody (its provisioning failed), for who can choose another. */
int taken_by_other(struct state *s, const char *key, const char *uuid, bool all, struct err *e);
/* Leases of NICs that rec (NULL: deleted) has no longer are dropped. Inside a transaction. */
int lease_index(struct state *s, struct err *e); /* all of them into holders.c's index */
int lease_change(struct state *s, const char *uuid, const json_t *old, const json_t *rec, struct err *e);

/* Both indexes are made, of a node whose VMs were there before them. */
int taken_index(struct state *s, struct err *e);
/* holders.c. From one record of a VM to another, each may be NULL; and one lease. Inside a transaction. */
int holders_change(struct state *s, const char *uuid, const json_t *old, const json_t *rec, struct err *e);
int holders_lease(struct state *s, const char *uuid, const char *mac, const char *ip, bool on, struct err *e);

#endif
