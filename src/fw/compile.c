/* SPDX-License-Identifier: MPL-2.0 */
#include "fw/compile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* A rule in one direction: what decides its place. */
struct placed {
	const struct fw_known *k;
	enum fw_dir dir;
};

struct making {
	uint32_t (*set)(const char *name, void *arg);
	void *arg;
};

void fw_uuid_bytes(const char *text, uint8_t out[16])
{
	unsigned k = 0;

	memset(out, 0, 16);
	for (; *text && k < 32; text++) {
		unsigned d;

		if (!isxdigit((unsigned char)*text))
			continue;
		d = (unsigned)(isdigit((unsigned char)*text) ? *text - '0' : (*text | 32) - 'a' + 10);
		out[k / 2] = (uint8_t)(out[k / 2] << 4 | d);
		k++;
	}
}

/* One of VMs is looked up by the name of its set; a set with nobody in it matches nothing. */
static void peer(const struct making *m, const char *scope, const struct fw_target *t, struct fw_entry *e)
{
	struct fw_peer *p = &e->peer[e->npeers];

	if (t->kind == FW_ANY) {
		p->kind = FW_PEER_ANY;
	} else if (fw_target_vms(t)) {
		_free_ char *name = fw_set_name(scope, t);

		p->kind = FW_PEER_SET;
		p->set = m->set(name, m->arg);
		if (p->set == 0)
			return;
	} else {
		p->kind = FW_PEER_NET;
		p->a = t->addr;
		p->prefix = t->kind == FW_SUBNET ? t->prefix : t->addr.family == 6 ? 128 : 32;
	}
	e->npeers++;
}

static void fill(const struct making *m, const struct placed *p, struct fw_entry *e)
{
	const struct fw_rule *r = p->k->rule;
	const struct fw_side *peers = p->dir == FW_IN ? &r->from : &r->to;

	memcpy(e->rule, p->k->id, 16);
	e->dir = (uint8_t)p->dir;
	e->action = (uint8_t)r->action;
	e->proto = r->proto;
	e->log = p->k->log;
	e->nports = (uint8_t)r->nports;
	memcpy(e->port, r->port, r->nports * sizeof *e->port);
	for (size_t i = 0; i < peers->n; i++)
		peer(m, p->k->scope, &peers->t[i], e);
}

/* What goes counter to the default goes first: that is what it is written for. */
static int before(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int d = y->k->rule->priority - x->k->rule->priority;

	if (d == 0)
		d = (int)x->dir - (int)y->dir;
	if (d == 0 && x->k->rule->action != y->k->rule->action)
		d = (x->k->rule->action == FW_ALLOW) == (x->dir == FW_IN) ? -1 : 1;
	return d ? d : memcmp(x->k->id, y->k->id, 16);
}

size_t fw_compile(const struct fw_vm *vm, const struct fw_known *rules, size_t n, uint32_t (*set)(const char *name, void *arg), void *arg,
		  struct fw_entry **out)
{
	struct making m = {set, arg};
	struct placed *p = xalloc((2 * n + 1) * sizeof *p);
	size_t np = 0, made = 0;

	for (size_t i = 0; i < n; i++) {
		if (fw_side_has(&rules[i].rule->to, rules[i].scope, vm))
			p[np++] = (struct placed){&rules[i], FW_IN};
		if (fw_side_has(&rules[i].rule->from, rules[i].scope, vm))
			p[np++] = (struct placed){&rules[i], FW_OUT};
	}
	qsort(p, np, sizeof *p, before);
	*out = np ? xalloc(np * sizeof **out) : NULL;
	for (size_t i = 0; i < np; i++) {
		fill(&m, &p[i], &(*out)[made]);
		if ((*out)[made].npeers)
			made++;
		else
			memset(&(*out)[made], 0, sizeof **out);
	}
	free(p);
	return made;
}
