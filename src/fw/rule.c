/* SPDX-License-Identifier: MPL-2.0 */
#include "fw/rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void side_done(struct fw_side *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->t[i].key);
		free(s->t[i].value);
	}
	s->n = 0;
}

void fw_rule_done(struct fw_rule *r)
{
	side_done(&r->from);
	side_done(&r->to);
}

bool fw_target_vms(const struct fw_target *t)
{
	return t->kind == FW_ALL_VMS || t->kind == FW_TAG || t->kind == FW_VM;
}

static int text_cmp(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !!a - !!b;
}

int fw_target_cmp(const struct fw_target *a, const struct fw_target *b)
{
	int d = (int)a->kind - (int)b->kind;

	if (d == 0 && (a->kind == FW_IP || a->kind == FW_SUBNET)) {
		d = a->addr.family - b->addr.family;
		if (d == 0)
			d = memcmp(a->addr.ip, b->addr.ip, 16);
		if (d == 0)
			d = a->prefix - b->prefix;
	}
	if (d == 0 && a->kind == FW_TAG) {
		d = strcmp(a->key, b->key);
		if (d == 0)
			d = text_cmp(a->value, b->value);
	}
	return d == 0 && a->kind == FW_VM ? strcmp(a->uuid, b->uuid) : d;
}

int fw_addr_parse(const char *text, struct fw_addr *out)
{
	struct fw_addr a = {.family = strchr(text, ':') ? 6 : 4};

	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, text, a.ip) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

void fw_addr_print(const struct fw_addr *a, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];

	buf_puts(out, inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->ip, text, sizeof text) ?: "?");
}

const char *fw_proto_name(unsigned proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	case IPPROTO_AH:
		return "ah";
	case IPPROTO_ESP:
		return "esp";
	}
	return NULL;
}
