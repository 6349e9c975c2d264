/* SPDX-License-Identifier: MPL-2.0 */
/* A list as the kernel has it: flat, one element for each peer of each entry, inbound before outbound, behind a head. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"
#include "net/fw_lists.h"

#define LIST_MAX 8192 /* elements of a list in one direction */

_Static_assert(sizeof(struct sw_rule) == sizeof(struct sw_fw_head), "the head is an element");
_Static_assert((int)FW_PEER_ANY == (int)FW_RULE_ANY && (int)FW_PEER_NET == (int)FW_RULE_NET && (int)FW_PEER_SET == (int)FW_RULE_SET, "one enum");

static void put_peer(const struct fw_peer *p, struct sw_rule *out)
{
	unsigned bits = p->prefix;

	out->peer = p->kind;
	out->set = p->kind == FW_PEER_SET ? p->set : 0;
	if (p->kind != FW_PEER_NET)
		return;
	out->family = p->a.family;
	for (unsigned i = 0; i < (p->a.family == 4 ? 4 : 16); i++, bits -= bits < 8 ? bits : 8) {
		out->mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
		out->ip[i] = p->a.ip[i] & out->mask[i];
	}
}

static void put_ports(const struct fw_entry *e, struct sw_rule *out)
{
	bool icmp = e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6;

	out->nports = e->nports;
	for (int i = 0; i < FW_PORTS_MAX; i++) {
		const struct fw_range *p = &e->port[i];

		out->port[i].lo = 1; /* and hi 0: none */
		if (i >= e->nports)
			continue;
		out->port[i].lo = icmp ? (uint16_t)(p->lo << 8 | (p->hi == FW_CODE_ANY ? 0 : p->hi)) : p->lo;
		out->port[i].hi = icmp ? (uint16_t)(p->lo << 8 | (p->hi == FW_CODE_ANY ? 255 : p->hi)) : p->hi;
	}
}

static int check(const struct fw_entry *e, struct err *err)
{
	if (e->npeers < 1 || e->npeers > FW_PEERS_MAX || e->nports > FW_PORTS_MAX)
		return err_set(err, EINVAL, "a rule with %u targets and %u ports", e->npeers, e->nports);
	for (unsigned i = 0; i < e->npeers; i++) {
		const struct fw_peer *p = &e->peer[i];

		if (p->kind > FW_PEER_SET || (p->kind == FW_PEER_NET && !((p->a.family == 4 && p->prefix <= 32) || (p->a.family == 6 && p->prefix <= 128))))
			return err_set(err, EINVAL, "a rule with a target of an unknown kind");
	}
	return 0;
}

static void put_entry(const struct fw_entry *e, struct sw_rule *out)
{
	for (unsigned i = 0; i < e->npeers; i++) {
		struct sw_rule *r = &out[i];

		memset(r, 0, sizeof *r);
		memcpy(r->rule, e->rule, 16);
		r->family = e->proto == IPPROTO_ICMP ? 4 : e->proto == IPPROTO_ICMPV6 ? 6 : 0;
		r->proto = e->proto;
		r->block = e->action == FW_BLOCK;
		r->log = e->log;
		put_ports(e, r);
		put_peer(&e->peer[i], r);
	}
}

int fw_flat(const struct fw_list *l, struct sw_rule **out, uint32_t *n, struct err *e)
{
	struct sw_fw_head *h;
	size_t count = 1;
	uint32_t at = 1;

	for (size_t i = 0; i < l->n; i++) {
		int r = check(&l->entry[i], e);

		if (r < 0)
			return r;
		count += l->entry[i].npeers;
	}
	if (count > LIST_MAX)
		return err_set(e, E2BIG, "a VM has at most %d rules, each target counted", LIST_MAX - 1);
	*out = xalloc(count * sizeof **out);
	h = (void *)*out;
	for (int dir = FW_IN; dir <= FW_OUT; dir++) {
		for (size_t i = 0; i < l->n; i++)
			if (l->entry[i].dir == dir) {
				put_entry(&l->entry[i], *out + at);
				at += l->entry[i].npeers;
			}
		if (dir == FW_IN)
			h->nin = at - 1;
	}
	h->nout = at - 1 - h->nin;
	*n = at;
	return 0;
}
