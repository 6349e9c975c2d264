/* SPDX-License-Identifier: MPL-2.0 */
/* Addresses of one VM, into the sets that it is in now and out of those that it was in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/vm.h"
#include "node/fwset.h"

struct asking {
	struct state *st;
	const char *self, *set;
	const struct fw_addr *a;
	char *text;
	struct err *e;
};

static bool has_addr(const struct fw_vm *vm, const struct fw_addr *a)
{
	for (size_t i = 0; i < vm->naddrs; i++)
		if (!memcmp(&vm->addr[i], a, sizeof *a))
			return true;
	return false;
}

static int same_json(const json_t *o, const struct asking *q)
{
	struct fw_vm vm;
	bool same;
	int r = fwaddr_vm(q->st, o, &vm, q->e);

	if (r < 0)
		return r;
	same = strcmp(vm.uuid, q->self) && has_addr(&vm, q->a) && fw_vm_in_set(&vm, q->set);
	fw_vm_done(&vm);
	return same ? -EEXIST : 0;
}

static int same_holder(const char *uuid, void *arg)
{
	const struct asking *q = arg;
	struct err miss = ERR_INIT;
	_free_ char *state = NULL;
	_json_ json_t *rec = NULL;
	int r = str_eq(uuid, q->self) ? -ENOENT : state_vm_get(q->st, uuid, &rec, &state, NULL, &miss);

	if (r < 0 && r != -ENOENT && q->e)
		*q->e = miss;
	/* one that has failed has none */
	return r == -ENOENT || (r == 0 && str_eq(state, "failed")) ? 0 : r < 0 ? r : same_json(rec, q);
}

static int same_rvm(const char *uuid, const char *text, void *arg)
{
	const struct asking *q = arg;
	_json_ json_t *o = NULL;

	/* an IPv6 address may be written in more than one way; one of IPv4 stands there */
	if (!strcmp(uuid, q->self) || (q->a->family == 4 && !strstr(text, q->text)))
		return 0;
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(o) ? same_json(o, q) : err_set(q->e, EUCLEAN, "remote VM %s is not a JSON object", uuid);
}

/* The link address that one of IPv6 may be formed of: the VM that has it has the address too. "": none. */
static void formed_of(const struct fw_addr *a, char mac[18])
{
	const uint8_t *p = a->ip;

	*mac = 0;
	if (a->family == 6 && !a->part && p[11] == 0xff && p[12] == 0xfe)
		snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", p[8] ^ 2, p[9], p[10], p[13], p[14], p[15]);
}

/* Two VMs of one tag may have one address, on different switches. 1: somebody else has it. */
static int others(struct state *st, const char *self, const char *set, const struct fw_addr *a, struct err *e)
{
	_buf_ struct buf b = BUF_INIT;
	struct asking q = {.st = st, .self = self, .set = set, .a = a, .e = e};
	char mac[18];
	int r;

	fw_addr_print(a, &b);
	q.text = (char *)buf_str(&b);
	formed_of(a, mac);
	r = state_holders(st, a->part ? NULL : q.text, same_holder, &q, e);
	if (r == 0 && mac[0])
		r = state_holders(st, mac, same_holder, &q, e);
	if (r == 0)
		r = state_net_each_text(st, "rvm", same_rvm, &q, e);
	return r == -EEXIST ? 1 : r;
}

static bool has_set(const struct fwsets *s, uint32_t id)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->set[i].id == id)
			return true;
	return false;
}

int fwsync_member(struct state *st, struct net_switch *s, const struct fw_vm *from, const struct fwsets *before, const struct fw_vm *to,
		  const struct fwsets *now, const char *self, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < now->n; i++)
		for (size_t k = 0; r == 0 && k < to->naddrs; k++)
			r = net_fw_set_add(s, now->set[i].id, &to->addr[k], e);
	for (size_t i = 0; r == 0 && i < before->n; i++)
		for (size_t k = 0; r == 0 && k < from->naddrs; k++) {
			if (has_set(now, before->set[i].id) && has_addr(to, &from->addr[k]))
				continue;
			r = others(st, self, before->set[i].name, &from->addr[k], e);
			r = r < 0 ? r : r == 1 ? 0 : net_fw_set_remove(s, before->set[i].id, &from->addr[k], e);
		}
	return r;
}
