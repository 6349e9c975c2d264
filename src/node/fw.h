/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The firewall of a node: rules and remote VMs in the record store, and what becomes of them in the switch. A change is
 * stored first, then in force: with the switch's lock held over both, so that who comes after sees both or none.
 */
#ifndef CLOISTER_NODE_FW_H
#define CLOISTER_NODE_FW_H

#include <jansson.h>

#include "fw/compile.h"
#include "net/switch.h"
#include "node/vm.h"

/* ---- fwobj.c: what a rule or a remote VM is made of; unknown members of a rule are refused by name ---- */
/* old: the one to be updated, NULL: a new one. *out: new reference, the text canonical, version new. */
int fwobj_rule(const json_t *payload, const json_t *old, json_t **out, struct err *e);
/* nics of `vmadm get` become ips, what is not a remote VM's is left out. */
int fwobj_rvm(const json_t *payload, const json_t *old, json_t **out, struct err *e);
const char *fwobj_scope(const json_t *rule);
/* A VM's record, or a remote VM, as rules see it; of addresses what stands in it. */
void fwobj_vm(const json_t *rec, struct fw_vm *out);

/* ---- fwaddr.c: with the addresses that stand elsewhere ---- */
/* fwobj_vm(), and leases and formed addresses as the store has them now; of a copy that was noted, as they were then. */
int fwaddr_vm(struct state *st, const json_t *rec, struct fw_vm *out, struct err *e);
/* *out: a copy of the record with them, for who is about to store what takes them away; new reference. */
int fwaddr_note(struct state *st, const json_t *rec, json_t **out, struct err *e);
/* That copy, as it is when that NIC has lost this address of those that stand elsewhere. */
void fwaddr_without(json_t *noted, const char *mac, const char *ip);
/*
 * From one record of a VM to another (NULL: it goes): what a NIC has formed on the switch that it is on until its VM boots stays among its
 * addresses. At that boot fwaddr_has_moved() says 1, and fwaddr_moving() from the record to NULL forgets it: in between all sets are in doubt.
 */
int fwaddr_moving(struct state *st, bool runs, const json_t *from, const json_t *to, struct err *e);
int fwaddr_has_moved(struct state *st, const json_t *rec, struct err *e);
/* The settings of a switch are about to change, which ends with fwaddr_moved(), in this command or the next. Needs no lock. */
int fwaddr_doubt(const struct ctx *c, struct err *e);
/* The settings of a switch have changed, and with them addresses of many VMs: every set is as the store says. */
int fwaddr_moved(struct ctx *c, struct state *st, struct err *e);

/* ---- fwdb.c ---- */
/* What is stored and what goes, in one transaction: arrays of objects and of uuids, each may be NULL. */
struct fw_change {
	json_t *rules, *rvms;
	json_t *gone_rules, *gone_rvms;
	/* what rules and rvms are when they are stored, whatever another command has done since the caller looked: else -EEXIST, -ENOENT */
	enum fw_expect { FW_WHATEVER, FW_ABSENT, FW_PRESENT } expect;
	/* NULL, or by uuid what they were when the caller made the new ones of them: if one is another by now, -ESTALE, and nothing is changed */
	json_t *seen;
};
/* The uuids of those VMs of this host that have a firewall and that the change concerns, in order; new reference. */
int fw_change_vms(struct state *st, const struct fw_change *ch, json_t **vms, struct err *e);
/* Stores it and brings it into force on running VMs. */
int fw_change_apply(struct ctx *c, struct state *st, const struct fw_change *ch, struct err *e);
/* fwlist.c. The rules that concern a VM: an array of their objects, by uuid. enabled: those in force alone. */
int fw_rules_of(struct state *st, const struct fw_vm *vm, bool enabled, json_t **rules, struct err *e);

/* ---- fwvm.c: what a VM's life has to do with it ---- */
/* Before an address of its goes that no record has: who comes next brings all sets into line. */
int vmfw_doubt(const struct net_switch *s, struct err *e);
/* At boot, behind vnic_add(): its list, and first all sets if the switch is new. */
int vmfw_up(struct vm *v, struct net_switch *s, struct err *e);
/* Its addresses in sets and its list, from one record to another; NULL: there is none. from NULL with thorough: whatever it was, then all sets are as the store says. */
int vmfw_change(struct vm *v, const json_t *from, const json_t *to, bool thorough, struct err *e);
/* Its worker finds the log that it may have in the switch. */
int vmfw_log(const struct ctx *c, struct net_switch *s, const char *uuid, uint32_t zone, struct err *e);
/* For who has brought lists into force, or taken some away: a process makes others ready, if it is time. Not with the switch's lock held. */
void vmfw_later(const struct ctx *c, bool low);
/* fwadm start: the list of a running VM, whatever was. */
int vmfw_start(struct vm *v, struct net_switch *s, struct err *e);

#endif
