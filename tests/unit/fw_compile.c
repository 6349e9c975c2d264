/* SPDX-License-Identifier: MPL-2.0 */
/* From rules and VMs to what a VM's firewall does: whom a rule concerns, who is in which set, and what is tried first. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/own.h"
#include "fw/compile.h"

#define OWN   "e6c73bd2-fae4-4e0a-af76-2c05d088b066"
#define OTHER "f6c73bd2-fae4-4e0a-af76-2c05d088b066"
#define VM    "163dcedb-828d-43c9-b076-625423250ee2"
#define VM2   "0f570678-c007-4610-a2c0-bbfcaab9f4e6"

static void a_vm(struct fw_vm *vm, const char *uuid, const char *owner)
{
	struct fw_addr a;

	*vm = (struct fw_vm){.uuid = ""};
	strcpy(vm->uuid, uuid);
	strcpy(vm->owner, owner);
	fw_vm_tag(vm, "role", "db");
	fw_vm_tag(vm, "two words", "true");
	assert_int_equal(fw_addr_parse("10.0.0.1", &a), 0);
	fw_vm_addr(vm, &a);
	fw_vm_addr(vm, &a);
	assert_int_equal(vm->naddrs, 1);
}

static int collect(const char *set, void *arg)
{
	buf_printf(arg, "%s|", set);
	return 0;
}

static int stop_at_two(const char *set, void *arg)
{
	return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void sets(void **s)
{
	static const struct {
		const char *set;
		bool own, nobodys;
	} in[] = {
		{"* all vms", 1, 1}, {OWN " all vms", 1, 1}, {OTHER " all vms", 0, 1}, {"* vm " VM, 1, 1}, {"* vm " VM2, 0, 0}, {OWN " tag role", 1, 1},
		{OWN " tag role = db", 1, 1}, {OWN " tag role = web", 0, 0}, {"* tag \"two words\" = true", 1, 1}, {"* tag two", 0, 0}, {"*", 0, 0}, {"", 0, 0},
	};
	_buf_ struct buf b = BUF_INIT;
	struct fw_vm vm, free_vm;
	int n = 0;

	a_vm(&vm, VM, OWN);
	a_vm(&free_vm, VM, "");
	fw_vm_sets(&vm, collect, &b);
	assert_string_equal(buf_str(&b), "* all vms|" OWN " all vms|* vm " VM "|" OWN " vm " VM "|* tag role|" OWN " tag role|* tag role = db|" OWN " tag role = db|"
			    "* tag \"two words\"|" OWN " tag \"two words\"|* tag \"two words\" = true|" OWN " tag \"two words\" = true|");
	assert_int_equal(fw_vm_sets(&vm, stop_at_two, &n), -ECANCELED);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		if (fw_vm_in_set(&vm, in[i].set) != in[i].own || fw_vm_in_set(&free_vm, in[i].set) != in[i].nobodys)
			fail_msg("%s", in[i].set);
	fw_vm_done(&vm);
	fw_vm_done(&free_vm);
}

struct given {
	const char *scope, *text;
};

/* "in allow tcp net*1 ports 1 rule 2"… one line each, in the order in which they are tried. */
static char *compiled(const struct fw_vm *vm, const struct given *g, size_t n, uint32_t (*set)(const char *, void *), void *arg)
{
	struct fw_rule *r = xalloc(n * sizeof *r);
	struct fw_known *k = xalloc(n * sizeof *k);
	struct fw_entry *e = NULL;
	struct buf b = BUF_INIT;
	size_t made;

	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (fw_parse(g[i].text, &r[i], &why) < 0)
			fail_msg("%s: %s", g[i].text, why.msg);
		k[i] = (struct fw_known){.scope = g[i].scope, .rule = &r[i]};
		k[i].id[15] = (uint8_t)i;
	}
	made = fw_compile(vm, k, n, set, arg, &e);
	for (size_t i = 0; i < made; i++) {
		buf_printf(&b, "%d%s%s", e[i].rule[15], e[i].dir == FW_IN ? "<" : ">", e[i].action == FW_ALLOW ? "+" : "-");
		for (size_t p = 0; p < e[i].npeers; p++) {
			const struct fw_peer *q = &e[i].peer[p];

			if (q->kind == FW_PEER_SET)
				buf_printf(&b, " set%u", q->set);
			else if (q->kind == FW_PEER_NET)
				buf_printf(&b, " net%u.%u/%u", q->a.family, q->a.ip[0], q->prefix);
			else
				buf_puts(&b, " any");
		}
		buf_puts(&b, "\n");
	}
	for (size_t i = 0; i < n; i++)
		fw_rule_done(&r[i]);
	free(r);
	free(k);
	free(e);
	return buf_take(&b) ?: xstrdup("");
}

static uint32_t set_number(const char *name, void *arg)
{
	return strstr(name, "nobody") ? 0 : strstr(name, "web") ? 7 : 8;
}

static void concerns(void **s)
{
	static const struct given g[] = {
		{OWN, "FROM any TO all vms ALLOW tcp PORT 1"},
		{OTHER, "FROM any TO all vms ALLOW tcp PORT 1"},
		{"*", "FROM any TO vm " VM2 " ALLOW tcp PORT 1"},
		{"*", "FROM (ip 10.2.3.4 OR subnet fd00::/8) TO vm " VM " ALLOW tcp PORT 1"},
		{OWN, "FROM tag role = db TO (tag role = web OR ip fd00::1) BLOCK tcp PORT 1"},
		{OWN, "FROM tag role TO tag role ALLOW tcp PORT 1"},
		{OWN, "FROM tag nobody TO all vms ALLOW tcp PORT 1"},
		{OWN, "FROM tag nobody TO ip 10.0.0.1 ALLOW tcp PORT 1"},
	};
	struct fw_vm vm;
	_free_ char *got = NULL;

	a_vm(&vm, VM, OWN);
	got = compiled(&vm, g, ARRAY_LEN(g), set_number, NULL);
	assert_string_equal(got, "0<+ any\n3<+ net4.10/32 net6.253/8\n5<+ set8\n4>- net6.253/128 set7\n5>+ set8\n");
	fw_vm_done(&vm);
}

static void order(void **s)
{
	static const struct given g[] = {
		{"*", "FROM any TO all vms BLOCK tcp PORT 1"},
		{"*", "FROM any TO all vms ALLOW tcp PORT 2"},
		{"*", "FROM any TO all vms BLOCK tcp PORT 3 PRIORITY 1"},
		{"*", "FROM all vms TO any ALLOW tcp PORT 4"},
		{"*", "FROM all vms TO any BLOCK tcp PORT 5"},
		{"*", "FROM all vms TO any ALLOW tcp PORT 6 PRIORITY 100"},
		{"*", "FROM any TO all vms ALLOW tcp PORT 7"},
	};
	struct fw_vm vm;
	_free_ char *got = NULL;

	a_vm(&vm, VM, OWN);
	got = compiled(&vm, g, ARRAY_LEN(g), set_number, NULL);
	assert_string_equal(got, "5>+ any\n2<- any\n1<+ any\n6<+ any\n0<- any\n4>- any\n3>+ any\n");
	fw_vm_done(&vm);
}

static void entry(void **s)
{
	struct fw_rule r = {0};
	struct fw_known k = {.scope = "*", .rule = &r};
	struct fw_entry *e;
	struct fw_vm vm;

	a_vm(&vm, VM, OWN);
	fw_uuid_bytes(VM2, k.id);
	assert_int_equal(k.id[0], 0x0f);
	assert_int_equal(k.id[15], 0xe6);
	assert_int_equal(fw_parse("FROM any TO all vms ALLOW icmp (TYPE 8 CODE 0 AND TYPE 3)", &r, NULL), 0);
	assert_int_equal(fw_compile(&vm, &k, 1, set_number, NULL, &e), 1);
	assert_memory_equal(e->rule, k.id, 16);
	assert_int_equal(e->proto, IPPROTO_ICMP);
	assert_int_equal(e->nports, 2);
	assert_int_equal(e->port[0].lo, 3);
	assert_int_equal(e->port[0].hi, FW_CODE_ANY);
	assert_int_equal(e->port[1].lo, 8);
	assert_int_equal(e->port[1].hi, 0);
	assert_int_equal(e->npeers, 1);
	free(e);
	fw_rule_done(&r);
	assert_int_equal(fw_compile(&vm, NULL, 0, set_number, NULL, &e), 0);
	assert_null(e);
	fw_vm_done(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sets), cmocka_unit_test(concerns), cmocka_unit_test(order), cmocka_unit_test(entry)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
