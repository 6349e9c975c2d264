/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A firewall rule of SmartOS's language (fwrule(7)) as data: what fw_parse() makes of the text, and its one canonical text.
 * Whatever parses is printed to a text that parses to the same rule. Pure: no I/O, no names looked up.
 */
#ifndef CLOISTER_FW_RULE_H
#define CLOISTER_FW_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/fw.h"

enum { FW_TARGETS_MAX = FW_PEERS_MAX, FW_PRIORITY_MAX = 100, FW_TEXT_MAX = 32768, FW_WORD_MAX = 255 };

enum fw_target_kind { FW_ANY, FW_ALL_VMS, FW_IP, FW_SUBNET, FW_TAG, FW_VM };

struct fw_target {
	enum fw_target_kind kind;
	struct fw_addr addr;     /* FW_IP, FW_SUBNET */
	uint8_t prefix;
	char *key, *value;       /* FW_TAG; value NULL: any; owned */
	char uuid[UUID_LEN + 1]; /* FW_VM */
};

struct fw_side {
	struct fw_target t[FW_TARGETS_MAX];
	size_t n;
};

struct fw_rule {
	struct fw_side from, to;
	enum fw_action action;
	uint8_t proto;   /* IPPROTO_TCP, UDP, ICMP, ICMPV6, AH, ESP */
	uint8_t priority;
	size_t nports;   /* 0: all; always for AH and ESP */
	struct fw_range port[FW_PORTS_MAX];
};

#define _fw_rule_ __attribute__((cleanup(fw_rule_done)))
void fw_rule_done(struct fw_rule *r); /* a zeroed one is fine */

/* -EINVAL with the column and what to write instead. The rule names at least one VM. *r is written on success only. */
int fw_parse(const char *text, struct fw_rule *r, struct err *e);
/* Keywords in capitals, targets and ports in order, quotes where they are needed. */
void fw_print(const struct fw_rule *r, struct buf *out);
/* "tag a = \"b c\"": one target as the language has it. */
void fw_print_target(const struct fw_target *t, struct buf *out);
const char *fw_proto_name(unsigned proto);
int fw_target_cmp(const struct fw_target *a, const struct fw_target *b);
/* Whether a target is one of VMs: any, ip and subnet are not. */
bool fw_target_vms(const struct fw_target *t);
/* "10.0.0.1" or "fd00::1"; -EINVAL. */
int fw_addr_parse(const char *text, struct fw_addr *out);
void fw_addr_print(const struct fw_addr *a, struct buf *out);

#endif
