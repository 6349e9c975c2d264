/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A flow of a VNIC, as flowadm(8) names it: what its packets have in common, and what is to be done with them. It is kept as an
 * object whose members are texts: vm, nic, the attributes that were given, maxbw and priority.
 */
#ifndef CLOISTER_MODEL_FLOW_H
#define CLOISTER_MODEL_FLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define FLOW_NAME_MAX 31

struct flow_net {
	uint8_t ip[16];
	unsigned prefix; /* bits; an address alone: all of them */
	bool given;
};

struct flow {
	char name[FLOW_NAME_MAX + 1];
	char vm[37];
	char nic[16];
	int family;             /* AF_INET, AF_INET6, 0: both */
	uint8_t proto;          /* 0: any */
	uint8_t ds, dsmask;
	uint16_t lport, rport;  /* 0: any */
	struct flow_net local, remote;
	uint64_t kbit;          /* 0: no ceiling of its own */
	const char *priority;   /* "low", "medium", "high"; NULL: not given */
};

enum flow_list { FLOW_ATTRS, FLOW_PROPS };

/* 1 to 31 of letters, digits, _ - . and a letter first. */
int flow_name_check(const char *name, struct err *e);
/* "transport=tcp,local_port=80" or "maxbw=10M,priority=high", each value checked, into flow. -EINVAL */
int flow_parse(const char *list, enum flow_list what, json_t *flow, struct err *e);
/* All of one: that its attributes go together. -EINVAL */
int flow_read(const char *name, const json_t *flow, struct flow *out, struct err *e);
/* Of two, which is looked at first: the one that says more, then the one with the longer prefixes, then by name. As strcmp(). */
int flow_order(const struct flow *a, const struct flow *b);
/* Whether both say the same of packets. */
bool flow_same(const struct flow *a, const struct flow *b);
/* "10.5M", "100K", "1G", "20" (M) in kbit/s, at least 100K: 0 or -EINVAL. */
int flow_rate(const char *text, uint64_t *kbit);

#endif
