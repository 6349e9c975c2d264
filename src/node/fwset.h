/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of the firewall: names and numbers of sets, rules by the sets that they name. In the record store:
 *
 *	"rule"          uuid → the object
 *	"rvm"           uuid → the object
 *	"fwset"         set  → {"id": number}, while a rule in force names it
 *	"fwuse <set>"   uuid → {}, each rule in force that names it
 *
 * so that a VM's boot reads the rules that concern it, and no others.
 */
#ifndef CLOISTER_NODE_FWSET_H
#define CLOISTER_NODE_FWSET_H

#include "node/fw.h"

/* ---- fwset.c ---- */
struct fwset {
	char *name;
	uint32_t id;
};
struct fwsets {
	struct fwset *set; /* by name */
	size_t n;
};
int fwsets_load(struct state *st, struct fwsets *s, struct err *e);
void fwsets_done(struct fwsets *s);
/* 0: there is none. */
uint32_t fwsets_id(const struct fwsets *s, const char *name);
/* Those that a VM is in; of s, which may be NULL: they are looked up one by one. Appended to out, names its own. */
int fwsets_of(struct state *st, const struct fwsets *s, const struct fw_vm *vm, struct fwsets *out, struct err *e);
/* The number of one; *id 0: there is none. */
int fwset_find(struct state *st, const char *name, uint32_t *id, struct err *e);
/* One object, its own reference: 1, 0 = there is none. */
int fwdb_get(struct state *st, const char *kind, const char *name, json_t **out, struct err *e);
/* In a transaction: the rule's names; those that are new, or that nobody has any more, are appended. */
int fwset_use(struct state *st, const json_t *rule, struct fwsets *made, struct err *e);
int fwset_unuse(struct state *st, const json_t *rule, struct fwsets *gone, struct err *e);
void fwsets_add(struct fwsets *s, const char *name, uint32_t id);
/* Of a rule whose text can't be read: calls each for the name of every set that it named when it was stored. */
int fwset_each_blind(struct state *st, const char *uuid, int (*each)(const char *set, void *arg), void *arg, struct err *e);
int fwset_unuse_blind(struct state *st, const char *uuid, struct fwsets *gone, struct err *e);
/* Says which rule it is that can't be read, and what to do. Returns r. */
int fwrule_bad(struct err *e, const char *uuid, int r);
/* Calls each for the name of every set that a rule names. */
int fwset_each_of(const json_t *rule, int (*each)(const char *set, void *arg), void *arg, struct err *e);

/* ---- fwlist.c: lists of running zones ---- */
struct fwbook; /* rules that were read once */
struct fwlists {
	struct fwbook *book;
	struct state *st;
	struct fwsets sets;
	bool have_sets, have_rules; /* all of them are read */
	struct fw_list *list;
	size_t n;
	int bad; /* reading of a set's number has failed */
	struct err *e;
};
void fwlists_init(struct fwlists *l, struct state *st);
void fwlists_done(struct fwlists *l);
/* For who makes more than a few: all names at once. */
int fwlists_sets(struct fwlists *l, struct err *e);
/* And for who makes all of them: the rules too. */
int fwlists_all(struct fwlists *l, struct err *e);
/* The list of a VM is appended. */
int fwlists_add(struct fwlists *l, const struct fw_vm *vm, uint32_t zone, struct err *e);
/* Rules in force that name a set of the VM's: uuids of them, each once. */
int fwrules_in_force(struct state *st, const struct fw_vm *vm, json_t **uuids, struct err *e);

/* ---- fwsync.c ---- */
/* Calls each for every VM of this host that has not failed, and every remote one (enabled false). */
int fwvm_each(struct state *st, int (*each)(const struct fw_vm *vm, bool enabled, bool remote, void *arg), void *arg, struct err *e);
/* Those of this host alone that have a firewall and may be in one of these sets: the caller looks. */
int fwvm_walled(struct state *st, const json_t *names, int (*each)(const struct fw_vm *vm, bool enabled, bool remote, void *arg), void *arg, struct err *e);
/* The switch's sets are those of the store; a switch that is new, or was left half changed, is filled. */
int fwsync(const struct ctx *c, struct state *st, struct net_switch *s, struct err *e);
/* Between the two the switch is not what the store says; a command that ends there leaves a note of it. */
int fwsync_begin(const struct net_switch *s, struct err *e);
void fwsync_end(const struct net_switch *s);
/* New sets get their members. */
int fwsync_fill(struct state *st, struct net_switch *s, const struct fwsets *sets, struct err *e);
/* The lists of running zones whose VM one of these names concerns, and that have one; NULL: of all. */
int fwsync_lists(const struct ctx *c, struct state *st, struct net_switch *s, const json_t *names, struct err *e);
/* ---- fwmember.c ---- */
/* Addresses of a VM, in these sets now and in those before; self: who else has one is asked but for this. */
int fwsync_member(struct state *st, struct net_switch *s, const struct fw_vm *from, const struct fwsets *before, const struct fw_vm *to,
		  const struct fwsets *now, const char *self, struct err *e);

#endif
