/* SPDX-License-Identifier: MPL-2.0 */
/* Rules in the record store, without a switch: sets come and go with the rules that name them, and a VM finds its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "model/netset.h"
#include "model/vm.h"
#include "node/fwset.h"

#define OWN "e6c73bd2-fae4-4e0a-af76-2c05d088b066"
#define VM1 "00000000-0000-4000-8000-000000000001"
#define VM2 "00000000-0000-4000-8000-000000000002"
#define RVM "00000000-0000-4000-8000-00000000000f"

struct fix {
	struct ctx c;
	char dir[32];
	struct state *st;
};

static void a_vm(struct fix *f, const char *uuid, const char *extra)
{
	_free_ char *text = xprintf("{\"brand\":\"joyent-minimal\",\"uuid\":\"%s\",\"owner_uuid\":\"" OWN "\",%s}", uuid, extra);
	_json_ json_t *p = json_loads(text, 0, NULL), *rec = NULL, *report = NULL;
	struct err e = ERR_INIT;
	uint32_t base = 0;

	if (!p || vm_record_create(p, "2026-01-01T00:00:00.000Z", &rec, &report, &e) < 0 || state_vm_insert(f->st, rec, "installed", NULL, 0, &base, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static int set_up(void **p)
{
	struct fix *f = xalloc(sizeof *f);
	struct err e = ERR_INIT;

	strcpy(f->dir, "/tmp/cloister-fw.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->c.node.state, sizeof f->c.node.state, "%s/db", f->dir);
	snprintf(f->c.node.run, sizeof f->c.node.run, "%s/run", f->dir);
	strcpy(f->c.node.name, "test");
	f->c.node.id_base = 0x10000000;
	f->c.node.id_count = 12000;
	f->c.oplog = f->c.cancel = -1;
	if (state_open(&f->c, STATE_WRITE, &f->st, &e) < 0)
		fail_msg("%s", e.msg);
	a_vm(f, VM1, "\"firewall_enabled\":true,\"tags\":{\"role\":\"db\",\"n\":5},\"nics\":[{\"nic_tag\":\"s\",\"ips\":[\"10.0.0.1/24\",\"fd00::1/64\"]}]");
	a_vm(f, VM2, "\"tags\":{\"role\":\"web\"},\"nics\":[{\"nic_tag\":\"s\",\"ips\":[\"10.0.0.2/24\"]}]");
	*p = f;
	return 0;
}

static int tear_down(void **p)
{
	struct fix *f = *p;

	state_close(&f->st);
	dir_remove(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

static json_t *a_rule(const char *text, bool on, const char *owner)
{
	_json_ json_t *p = json_pack("{s:s s:b}", "rule", text, "enabled", on);
	struct err e = ERR_INIT;
	json_t *o = NULL;

	json_object_set_new(p, owner ? "owner_uuid" : "global", owner ? json_string(owner) : json_true());
	if (fwobj_rule(p, NULL, &o, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return o;
}

static void apply(struct fix *f, const struct fw_change *ch)
{
	struct err e = ERR_INIT;

	if (fw_change_apply(&f->c, f->st, ch, &e) < 0)
		fail_msg("%s", e.msg);
}

static void put(struct fix *f, json_t *o)
{
	_json_ json_t *list = json_pack("[O]", o);
	struct fw_change ch = {.rules = list};

	apply(f, &ch);
}

static int expecting(struct fix *f, json_t *o, enum fw_expect want)
{
	_json_ json_t *list = json_pack("[O]", o);
	struct fw_change ch = {.rules = list, .expect = want};

	return fw_change_apply(&f->c, f->st, &ch, NULL);
}

static void gone(struct fix *f, json_t *o)
{
	_json_ json_t *list = json_pack("[O]", json_object_get(o, "uuid"));
	struct fw_change ch = {.gone_rules = list};

	apply(f, &ch);
}

static char *names(struct fix *f)
{
	struct fwsets all = {NULL, 0};
	struct buf b = BUF_INIT;

	assert_int_equal(fwsets_load(f->st, &all, NULL), 0);
	for (size_t i = 0; i < all.n; i++)
		buf_printf(&b, "%s|", all.set[i].name);
	fwsets_done(&all);
	return buf_take(&b) ?: xstrdup("");
}

#define NAMES(f, want)                                  \
	do {                                            \
		_free_ char *got_ = names(f);           \
		assert_string_equal(got_, want);        \
	} while (0)

static uint32_t number(struct fix *f, const char *set)
{
	uint32_t id = 0;

	assert_int_equal(fwset_find(f->st, set, &id, NULL), 0);
	return id;
}

static void sets_follow(void **p)
{
	struct fix *f = *p;
	_json_ json_t *a = a_rule("FROM tag role = web TO tag role = db ALLOW tcp PORT 1", true, OWN);
	_json_ json_t *b = a_rule("FROM any TO tag role = db ALLOW tcp PORT 2", true, OWN);
	_json_ json_t *c = a_rule("FROM any TO all vms ALLOW tcp PORT 2", false, NULL);
	uint32_t id;

	NAMES(f, "");
	put(f, a);
	NAMES(f, OWN " tag role = db|" OWN " tag role = web|");
	id = number(f, OWN " tag role = db");
	assert_int_not_equal(id, 0);
	put(f, b);
	put(f, c); /* not in force: nobody asks for its sets */
	NAMES(f, OWN " tag role = db|" OWN " tag role = web|");
	gone(f, a);
	NAMES(f, OWN " tag role = db|");
	assert_int_equal(number(f, OWN " tag role = db"), id);
	gone(f, b);
	NAMES(f, "");
	/* a number does not come again */
	put(f, a);
	assert_true(number(f, OWN " tag role = db") > id);
	json_object_set_new(a, "enabled", json_false());
	put(f, a);
	NAMES(f, "");
	gone(f, a);
	gone(f, c);
	/* another command was quicker */
	assert_int_equal(expecting(f, a, FW_PRESENT), -ENOENT);
	assert_int_equal(expecting(f, a, FW_ABSENT), 0);
	assert_int_equal(expecting(f, a, FW_ABSENT), -EEXIST);
	assert_int_equal(expecting(f, a, FW_PRESENT), 0);
	gone(f, a);
}

/* bulk: 1 all sets are read at once, 2 all rules too. */
static size_t entries(struct fix *f, const char *uuid, int bulk)
{
	_json_ json_t *rec = NULL;
	struct fwlists l;
	struct fw_vm vm;
	size_t n;

	assert_int_equal(state_vm_get(f->st, uuid, &rec, NULL, NULL, NULL), 0);
	fwobj_vm(rec, &vm);
	fwlists_init(&l, f->st);
	if (bulk)
		assert_int_equal(bulk == 1 ? fwlists_sets(&l, NULL) : fwlists_all(&l, NULL), 0);
	assert_int_equal(fwlists_add(&l, &vm, 7, NULL), 0);
	assert_int_equal(fwlists_add(&l, &vm, 8, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.list[0].n, l.list[1].n);
	assert_int_equal(l.list[1].zone, 8);
	n = l.list[0].n;
	fwlists_done(&l);
	fw_vm_done(&vm);
	return n;
}

static void of_a_vm(void **p)
{
	struct fix *f = *p;
	_json_ json_t *a = a_rule("FROM tag role = web TO (tag role = db OR tag n = 5) ALLOW tcp PORT 1", true, OWN);
	_json_ json_t *b = a_rule("FROM all vms TO vm " VM1 " ALLOW tcp PORT 2", true, NULL);
	_json_ json_t *c = a_rule("FROM any TO all vms ALLOW tcp PORT 2", true, RVM); /* of another owner */
	_json_ json_t *list = json_pack("[O O O]", a, b, c), *vms = NULL, *rules = NULL, *rec = NULL;
	struct fw_change ch = {.rules = list};
	struct fw_vm vm;

	assert_int_equal(fw_change_vms(f->st, &ch, &vms, NULL), 0);
	assert_int_equal(json_array_size(vms), 1); /* the other has no firewall */
	assert_string_equal(json_string_value(json_array_get(vms, 0)), VM1);
	apply(f, &ch);
	for (int bulk = 0; bulk < 3; bulk++) {
		assert_int_equal(entries(f, VM1, bulk), 3); /* in, in, and out to itself by "all vms" */
		assert_int_equal(entries(f, VM2, bulk), 2);
	}
	assert_int_equal(state_vm_get(f->st, VM1, &rec, NULL, NULL, NULL), 0);
	fwobj_vm(rec, &vm);
	assert_int_equal(vm.naddrs, 3); /* and the one of its link */
	assert_int_equal(fw_rules_of(f->st, &vm, true, &rules, NULL), 0);
	assert_int_equal(json_array_size(rules), 2);
	fw_vm_done(&vm);
	/* what looks like another member in a text; a tag in quotes; one that is off */
	json_object_set_new(a, "description", json_string("\",\"rule\":\"FROM any TO all vms ALLOW ah\",\"enabled\":\"false"));
	json_object_set_new(b, "rule", json_string("FROM tag \"a b\" = \"\\\"\" TO vm " VM1 " ALLOW tcp PORT 2"));
	put(f, a);
	put(f, b);
	for (int bulk = 0; bulk < 3; bulk++)
		assert_int_equal(entries(f, VM1, bulk), 2); /* nobody has the tag: its set is there, and empty */
	json_object_set_new(a, "enabled", json_false());
	put(f, a);
	for (int bulk = 0; bulk < 3; bulk++)
		assert_int_equal(entries(f, VM1, bulk), 1);
	gone(f, a);
	gone(f, b);
	gone(f, c);
	for (int bulk = 0; bulk < 3; bulk++)
		assert_int_equal(entries(f, VM1, bulk), 0);
}

static int count(const struct fw_vm *vm, bool enabled, bool remote, void *arg)
{
	int *n = arg;

	n[0]++;
	n[1] += enabled;
	n[2] += remote;
	return 0;
}

static void remote(void **p)
{
	struct fix *f = *p;
	_json_ json_t *in = json_pack("{s:s s:[{s:s}] s:{s:s} s:i}", "uuid", RVM, "nics", "ip", "10.1.0.1/24", "tags", "role", "web", "ram", 5), *rvm = NULL;
	_json_ json_t *a = a_rule("FROM tag role = web TO tag role = db ALLOW tcp PORT 1", true, OWN);
	_json_ json_t *list = NULL, *which = json_pack("[s]", RVM);
	struct fw_change ch = {0}, away = {.gone_rvms = which};
	struct fwsets in_sets = {NULL, 0};
	struct fw_vm vm;
	int n[3] = {0};

	assert_int_equal(fwobj_rvm(in, NULL, &rvm, NULL), 0);
	assert_null(json_object_get(rvm, "ram"));
	list = json_pack("[O]", rvm);
	ch.rvms = list;
	apply(f, &ch);
	put(f, a);
	fwobj_vm(rvm, &vm);
	/* nobody's, so that each owner's rules may name it */
	assert_int_equal(fwsets_of(f->st, NULL, &vm, &in_sets, NULL), 0);
	assert_int_equal(in_sets.n, 1);
	assert_string_equal(in_sets.set[0].name, OWN " tag role = web");
	fwsets_done(&in_sets);
	fw_vm_done(&vm);
	assert_int_equal(fwvm_each(f->st, count, n, NULL), 0);
	assert_int_equal(n[0], 3);
	assert_int_equal(n[1], 1);
	assert_int_equal(n[2], 1);
	apply(f, &away);
	gone(f, a);
}

static void refused(void **p)
{
	static const struct {
		const char *json, *msg;
	} bad[] = {
		{"[]", "not a JSON object"}, {"{}", "rule: it is missing"}, {"{\"rule\":5,\"global\":true}", "rule: a string"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\"}", "one of them is missing"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"owner_uuid\":\"" OWN "\"}", "not both"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"owner_uuid\":\"me\"}", "not a uuid"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"uuid\":\"x\"}", "not a uuid"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":2}", "true or false"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"enabled\":\"on\"}", "true or false"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"description\":\"a\\nb\"}", "no control characters"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"description\":[]}", "a string"},
		{"{\"rule\":\"FROM any TO all vms ALLOW ah\",\"global\":true,\"x\":1}", "unknown property \"x\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_json_ json_t *o = json_loads(bad[i].json, 0, NULL);
		struct err e = ERR_INIT;
		json_t *out = NULL;

		if (fwobj_rule(o, NULL, &out, &e) != -EINVAL || !strstr(e.msg, bad[i].msg))
			fail_msg("%s: %s", bad[i].json, e.msg);
	}
}

/* Of two updates that were made of the same rule, the later is told so: done again, both are in it. */
static void not_lost(void **p)
{
	struct fix *f = *p;
	_json_ json_t *a = a_rule("FROM any TO tag role = db ALLOW tcp PORT 1", true, OWN);
	_json_ json_t *one = json_pack("{s:s}", "description", "mine"), *other = json_pack("{s:s}", "rule", "FROM any TO tag role = db ALLOW tcp PORT 2");
	const char *uuid = vm_str(a, "uuid");
	_json_ json_t *seen = json_pack("{s:O}", uuid, a), *first = NULL, *second = NULL, *again = NULL, *now = NULL;
	struct fw_change ch = {.expect = FW_PRESENT, .seen = seen};
	struct err e = ERR_INIT;

	put(f, a);
	assert_int_equal(fwobj_rule(one, a, &first, NULL), 0);
	assert_int_equal(fwobj_rule(other, a, &second, NULL), 0);
	ch.rules = json_pack("[O]", first);
	assert_int_equal(fw_change_apply(&f->c, f->st, &ch, &e), 0);
	json_array_set(ch.rules, 0, second);
	assert_int_equal(fw_change_apply(&f->c, f->st, &ch, &e), -ESTALE);
	assert_int_equal(state_net_get(f->st, "rule", uuid, &now, NULL), 0);
	assert_true(json_equal(now, first));
	assert_int_equal(fwobj_rule(other, now, &again, NULL), 0);
	json_object_set(seen, uuid, now);
	json_array_set(ch.rules, 0, again);
	assert_int_equal(fw_change_apply(&f->c, f->st, &ch, &e), 0);
	assert_string_equal(vm_str(again, "description"), "mine");
	assert_string_equal(vm_str(again, "rule"), vm_str(second, "rule"));
	json_decref(ch.rules);
	gone(f, a);
}

/* What can't be read is not what isn't there. */
static void unreadable(void **p)
{
	struct fix *f = *p;
	_json_ json_t *a = a_rule("FROM tag role = web TO tag role = db ALLOW tcp PORT 1", true, OWN), *rec = NULL, *list = json_pack("[O]", a), *vms = NULL;
	struct fw_change ch = {.rules = list};
	struct fwsets in = {NULL, 0};
	struct fwlists l;
	struct fw_vm vm;
	uint32_t id;

	put(f, a);
	assert_int_equal(state_vm_get(f->st, VM1, &rec, NULL, NULL, NULL), 0);
	fwobj_vm(rec, &vm);
	state_lend(f->st, true);
	assert_true(fwset_find(f->st, OWN " tag role = db", &id, NULL) < 0);
	assert_true(fwsets_of(f->st, NULL, &vm, &in, NULL) < 0);
	assert_true(fw_change_vms(f->st, &ch, &vms, NULL) < 0);
	fwlists_init(&l, f->st);
	assert_true(fwlists_add(&l, &vm, 1, NULL) < 0);
	fwlists_done(&l);
	state_lend(f->st, false);
	fwsets_done(&in);
	gone(f, a);
	fw_vm_done(&vm);
}

static int list_of(struct fix *f, const char *uuid, bool all, struct err *e)
{
	_json_ json_t *rec = NULL;
	struct fwlists l;
	struct fw_vm vm;
	int r;

	assert_int_equal(state_vm_get(f->st, uuid, &rec, NULL, NULL, NULL), 0);
	fwobj_vm(rec, &vm);
	fwlists_init(&l, f->st);
	r = all ? fwlists_all(&l, e) : 0;
	if (r == 0)
		r = fwlists_add(&l, &vm, 1, e);
	fwlists_done(&l);
	fw_vm_done(&vm);
	return r;
}

/* One that is damaged concerns whom it concerned; it can be deleted, with the sets that it named. */
static void damaged(void **p)
{
	static const char *const texts[] = {"{\"rule\":5}", "{\"enabled\":true,\"rule\":\"FROM\"}"};
	struct fix *f = *p;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_json_ json_t *a = a_rule("FROM any TO tag role = db ALLOW tcp PORT 1", true, OWN), *bad = json_loads(texts[i], 0, NULL);
		_free_ char *was = names(f);

		put(f, a);
		assert_int_equal(state_net_put(f->st, "rule", vm_str(a, "uuid"), bad, NULL), 0);
		for (int all = 0; i == 1 && all < 2; all++) { /* the first says of itself that it is not in force */
			struct err e = ERR_INIT;

			assert_int_equal(list_of(f, VM1, all, &e), -EUCLEAN);
			assert_non_null(strstr(e.msg, vm_str(a, "uuid")));
			assert_non_null(strstr(e.hint, "fwadm delete"));
			assert_int_equal(list_of(f, VM2, all, &e), 0);
		}
		gone(f, a);
		{
			_free_ char *now = names(f);

			assert_string_equal(now, was);
		}
		assert_int_equal(list_of(f, VM1, true, NULL), 0);
	}
}

static bool has(const struct fw_vm *vm, const char *text, unsigned part)
{
	struct fw_addr a;

	assert_int_equal(fw_addr_parse(text, &a), 0);
	a.part = (uint8_t)part;
	for (size_t i = 0; i < vm->naddrs; i++)
		if (!memcmp(&vm->addr[i], &a, sizeof a))
			return true;
	return false;
}

/* So it has what it has formed where it is, of two moves before a boot what the first was from; and no longer than the NIC is there. */
static void moved(struct fix *f, json_t *rec)
{
	_json_ json_t *from = json_deep_copy(rec), *none = json_object();
	static const char *const formed = "fd00:7::8:20ff:fe00:1";
	struct fw_vm vm;

	json_object_del(json_array_get(json_object_get(from, "nics"), 0), "vlan_id");
	assert_int_equal(fwaddr_moving(f->st, false, from, rec, NULL), 0);
	assert_int_equal(fwaddr_has_moved(f->st, rec, NULL), 0); /* one that does not run has none */
	assert_int_equal(fwaddr_moving(f->st, true, rec, from, NULL), 0);
	assert_int_equal(fwaddr_has_moved(f->st, rec, NULL), 0); /* nothing is known of that switch */
	assert_int_equal(fwaddr_moving(f->st, true, from, rec, NULL), 0);
	assert_int_equal(fwaddr_has_moved(f->st, rec, NULL), 1);
	assert_int_equal(fwaddr_moving(f->st, true, rec, from, NULL), 0);
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_true(has(&vm, formed, 0));
	fw_vm_done(&vm);
	assert_int_equal(fwaddr_moving(f->st, true, rec, none, NULL), 0);
	assert_int_equal(fwaddr_has_moved(f->st, rec, NULL), 0);
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_false(has(&vm, formed, 0));
	fw_vm_done(&vm);
}

static void addresses(void **p)
{
	struct fix *f = *p;
	_json_ json_t *set = json_object();
	_json_ json_t *rec = json_loads("{\"uuid\":\"" VM2 "\",\"nics\":[{\"nic_tag\":\"s\",\"mac\":\"02:08:20:00:00:01\",\"ips\":[\"dhcp\",\"addrconf\"],"
					"\"allowed_ips\":[\"10.8.1.9/16\",\"fd00:8::1\",\"10.8.0.1/32\"],\"vrrp_primary_ip\":\"10.9.0.1\"}]}", 0, NULL);
	_json_ json_t *noted = NULL;
	struct lease_ask q = {.vm = VM2, .mac = "02:08:20:00:00:01", .tag = "s", .prefix = 24, .net = 0x0a070000, .gateway = 0x0a070001};
	struct fw_vm vm;
	uint32_t ip;
	char text[16];

	assert_non_null(rec);
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_int_equal(vm.naddrs, 5); /* neither lease nor prefix yet */
	assert_true(has(&vm, "fe80::8:20ff:fe00:1", 0));
	assert_true(has(&vm, "10.8.0.0", 17));
	assert_true(has(&vm, "fd00:8::1", 0));
	assert_true(has(&vm, "10.8.0.1", 0));
	assert_true(has(&vm, "10.9.0.1", 0));
	fw_vm_done(&vm);
	assert_int_equal(netset_put(set, "subnet", "10.7.0.0/24", NULL) + netset_put(set, "subnet6", "fd00:7::/64", NULL) + netset_put(set, "dhcp", "on", NULL), 0);
	netset_defaults(set);
	assert_int_equal(state_net_put(f->st, "switch", "s", set, NULL), 0);
	assert_int_equal(state_lease_take(f->st, &q, &ip, NULL), 0);
	assert_int_equal(state_lease_stale(f->st, &q, NULL), 0);
	snprintf(text, sizeof text, "10.7.0.%u", ip & 255);
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_int_equal(vm.naddrs, 7);
	assert_true(has(&vm, text, 0));
	assert_true(has(&vm, "fd00:7::8:20ff:fe00:1", 0));
	fw_vm_done(&vm);
	/* a note knows what was, whatever becomes of it */
	assert_int_equal(fwaddr_note(f->st, rec, &noted, NULL), 0);
	q.net = 0x0a170000;
	assert_int_equal(state_lease_stale(f->st, &q, NULL), 1);
	assert_int_equal(state_lease_take(f->st, &q, &ip, NULL), 0);
	assert_int_equal(fwaddr_vm(f->st, noted, &vm, NULL), 0);
	assert_true(has(&vm, text, 0));
	fw_vm_done(&vm);
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_false(has(&vm, text, 0));
	fw_vm_done(&vm);
	/* a NIC that is to move has it until the VM boots there */
	snprintf(text, sizeof text, "10.23.0.%u", ip & 255);
	json_object_set_new(json_array_get(json_object_get(rec, "nics"), 0), "vlan_id", json_integer(7));
	assert_int_equal(fwaddr_vm(f->st, rec, &vm, NULL), 0);
	assert_true(has(&vm, text, 0));
	fw_vm_done(&vm);
	q.vlan = 7;
	assert_int_equal(state_lease_stale(f->st, &q, NULL), 1);
	moved(f, rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sets_follow), cmocka_unit_test(of_a_vm), cmocka_unit_test(remote), cmocka_unit_test(refused), cmocka_unit_test(not_lost),
					   cmocka_unit_test(unreadable), cmocka_unit_test(damaged), cmocka_unit_test(addresses)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
