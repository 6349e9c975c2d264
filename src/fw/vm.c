/* SPDX-License-Identifier: MPL-2.0 */
/* VMs as rules see them, and the sets of addresses that they are in. */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "fw/compile.h"

void fw_vm_done(struct fw_vm *vm)
{
	for (size_t i = 0; i < vm->ntags; i++) {
		free(vm->tag[i].key);
		free(vm->tag[i].value);
	}
	free(vm->tag);
	free(vm->addr);
	*vm = (struct fw_vm){.uuid = ""};
}

void fw_vm_tag(struct fw_vm *vm, const char *key, const char *value)
{
	vm->tag = xrealloc(vm->tag, (vm->ntags + 1) * sizeof *vm->tag);
	vm->tag[vm->ntags++] = (struct fw_tag){xstrdup(key), xstrdup(value)};
}

void fw_vm_addr(struct fw_vm *vm, const struct fw_addr *a)
{
	for (size_t i = 0; i < vm->naddrs; i++)
		if (!memcmp(&vm->addr[i], a, sizeof *a))
			return;
	vm->addr = xrealloc(vm->addr, (vm->naddrs + 1) * sizeof *vm->addr);
	vm->addr[vm->naddrs++] = *a;
}

char *fw_set_name(const char *scope, const struct fw_target *t)
{
	_buf_ struct buf b = BUF_INIT;

	buf_puts(&b, scope);
	buf_puts(&b, " ");
	fw_print_target(t, &b);
	return buf_take(&b);
}

/* The targets that name it: two, and two for each of its tags. */
static int targets(const struct fw_vm *vm, int (*each)(const struct fw_target *t, void *arg), void *arg)
{
	struct fw_target t = {.kind = FW_ALL_VMS};
	int r = each(&t, arg);

	t.kind = FW_VM;
	memcpy(t.uuid, vm->uuid, sizeof t.uuid);
	if (r == 0)
		r = each(&t, arg);
	t.kind = FW_TAG;
	for (size_t i = 0; r == 0 && i < vm->ntags; i++) {
		t.key = vm->tag[i].key;
		t.value = NULL;
		r = each(&t, arg);
		t.value = vm->tag[i].value;
		if (r == 0)
			r = each(&t, arg);
	}
	return r;
}

struct names {
	const struct fw_vm *vm;
	int (*each)(const char *set, void *arg);
	void *arg;
};

static int name_both(const struct fw_target *t, void *arg)
{
	const struct names *n = arg;
	_free_ char *global = fw_set_name(FW_GLOBAL, t);
	int r = n->each(global, n->arg);

	if (r == 0 && *n->vm->owner) {
		_free_ char *own = fw_set_name(n->vm->owner, t);

		r = n->each(own, n->arg);
	}
	return r;
}

int fw_vm_sets(const struct fw_vm *vm, int (*each)(const char *set, void *arg), void *arg)
{
	struct names n = {vm, each, arg};

	return targets(vm, name_both, &n);
}

static int is_target(const struct fw_target *t, void *arg)
{
	_buf_ struct buf b = BUF_INIT;

	fw_print_target(t, &b);
	return !strcmp(buf_str(&b), arg);
}

static bool in_scope(const struct fw_vm *vm, const char *scope, size_t n)
{
	return (n == 1 && *scope == *FW_GLOBAL) || !*vm->owner || (n == UUID_LEN && !strncmp(vm->owner, scope, n));
}

bool fw_vm_in_set(const struct fw_vm *vm, const char *set)
{
	const char *text = strchr(set, ' ');

	return text && in_scope(vm, set, (size_t)(text - set)) && targets(vm, is_target, (char *)text + 1) == 1;
}

static bool is_vm(const struct fw_target *t, const struct fw_vm *vm)
{
	if (t->kind == FW_VM)
		return !strcmp(t->uuid, vm->uuid);
	if (t->kind != FW_TAG)
		return t->kind == FW_ALL_VMS;
	for (size_t i = 0; i < vm->ntags; i++)
		if (!strcmp(vm->tag[i].key, t->key) && (!t->value || !strcmp(vm->tag[i].value, t->value)))
			return true;
	return false;
}

bool fw_side_has(const struct fw_side *s, const char *scope, const struct fw_vm *vm)
{
	if (!in_scope(vm, scope, strlen(scope)))
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (is_vm(&s->t[i], vm))
			return true;
	return false;
}
