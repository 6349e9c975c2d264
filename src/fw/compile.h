/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rules and VMs → what the firewall of one VM does (net/fw.h). Pure.
 *
 * Each target of VMs is a set of their addresses: its name is a scope and the target's text, "<owner> tag role = db", or
 * "* all vms" for a global rule. A list names sets by number, so that a VM that gets a tag is one element of one set. The same
 * names say which rules concern a VM, so that nobody has to look at all of them.
 */
#ifndef CLOISTER_FW_COMPILE_H
#define CLOISTER_FW_COMPILE_H

#include "fw/rule.h"

#define FW_GLOBAL "*" /* the scope of a rule that is nobody's */

/* What the firewall knows of a VM, of this host or a remote one. Strings and lists are its own. */
struct fw_vm {
	char uuid[UUID_LEN + 1];
	char owner[UUID_LEN + 1]; /* "": a remote VM that rules of each owner may use */
	struct fw_tag {
		char *key, *value;
	} *tag;
	size_t ntags;
	struct fw_addr *addr;
	size_t naddrs;
};
void fw_vm_done(struct fw_vm *vm);
void fw_vm_tag(struct fw_vm *vm, const char *key, const char *value);
/* Each address once. */
void fw_vm_addr(struct fw_vm *vm, const struct fw_addr *a);

/* The name of a target's set; free(). */
char *fw_set_name(const char *scope, const struct fw_target *t);
/* The names of the sets that this VM may be in, its owner's and the global ones. A negative return of each ends it and is returned. */
int fw_vm_sets(const struct fw_vm *vm, int (*each)(const char *set, void *arg), void *arg);
/* Whether it is in the set of this name. */
bool fw_vm_in_set(const struct fw_vm *vm, const char *set);
/* Whether one of its targets is this VM. */
bool fw_side_has(const struct fw_side *s, const char *scope, const struct fw_vm *vm);

struct fw_known {
	uint8_t id[16];
	const char *scope;
	const struct fw_rule *rule;
	bool log; /* what it decides is told */
};
/*
 * The entries for a VM from rules, in the order in which they are tried: higher priority first, then inbound ALLOW before
 * BLOCK, outbound BLOCK before ALLOW. set: the number of the set of that name, 0 = there is nobody in it. *out is the caller's to free; returns
 * how many.
 */
size_t fw_compile(const struct fw_vm *vm, const struct fw_known *rules, size_t n, uint32_t (*set)(const char *name, void *arg), void *arg,
		  struct fw_entry **out);
/* The 16 bytes of a uuid. */
void fw_uuid_bytes(const char *text, uint8_t out[16]);

#endif
