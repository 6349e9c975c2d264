/* SPDX-License-Identifier: MPL-2.0 */
/* Objects of the network in the record store: by kind and name, and what a damaged one says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/own.h"
#include "state/db.h"

struct fix {
	struct ctx c;
	char dir[32];
	struct state *s;
};

static int set_up(void **p)
{
	struct fix *f = xalloc(sizeof *f);
	struct err e = ERR_INIT;

	strcpy(f->dir, "/tmp/cloister-state.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->c.node.state, sizeof f->c.node.state, "%s/db", f->dir);
	strcpy(f->c.node.name, "test");
	f->c.node.id_base = 0x10000000;
	f->c.node.id_count = 12000;
	f->c.oplog = f->c.cancel = -1;
	if (state_open(&f->c, STATE_WRITE, &f->s, &e) < 0)
		fail_msg("%s", e.msg);
	*p = f;
	return 0;
}

static int tear_down(void **p)
{
	struct fix *f = *p;

	state_close(&f->s);
	dir_remove(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

static void put(struct fix *f, const char *kind, const char *name, int n)
{
	struct err e = ERR_INIT;
	json_t *v = json_pack("{s:i}", "n", n);

	if (state_net_put(f->s, kind, name, v, &e) < 0)
		fail_msg("%s", e.msg);
	json_decref(v);
}

static int get(struct fix *f, const char *kind, const char *name)
{
	struct err e = ERR_INIT;
	json_t *v = NULL;
	int r = state_net_get(f->s, kind, name, &v, &e);

	if (r == 0)
		r = (int)json_integer_value(json_object_get(v, "n"));
	json_decref(v);
	return r;
}

static int collect(const char *name, const json_t *v, void *arg)
{
	char *out = arg;

	sprintf(out + strlen(out), "%s=%d ", name, (int)json_integer_value(json_object_get(v, "n")));
	return strcmp(name, "stop") == 0 ? -ECANCELED : 0;
}

static void kinds(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	char out[200] = "";

	put(f, "rule", "b", 2);
	put(f, "rule", "a", 1);
	put(f, "flow", "a", 7);
	put(f, "rule", "a", 3);
	assert_int_equal(get(f, "rule", "a"), 3);
	assert_int_equal(get(f, "flow", "a"), 7);
	assert_int_equal(get(f, "flow", "b"), -ENOENT);
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), 0);
	assert_string_equal(out, "a=3 b=2 ");
	assert_int_equal(state_net_delete(f->s, "rule", "a", &e), 0);
	assert_int_equal(state_net_delete(f->s, "rule", "a", &e), 0);
	assert_int_equal(get(f, "rule", "a"), -ENOENT);
	assert_int_equal(get(f, "flow", "a"), 7);
	put(f, "rule", "stop", 4);
	put(f, "rule", "z", 5);
	*out = 0;
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), -ECANCELED);
	assert_string_equal(out, "b=2 stop=4 ");
}

static void not_objects(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *list = json_array(), *v = NULL;
	char out[200] = "";

	assert_int_equal(state_net_put(f->s, "rule", "a", list, &e), -EINVAL);
	json_decref(list);
	assert_int_equal(get(f, "rule", "a"), -ENOENT);
	assert_int_equal(db_exec(f->s, "INSERT INTO netobj VALUES ('rule', 'torn', '{\"n\":')", &e), 0);
	assert_int_equal(state_net_get(f->s, "rule", "torn", &v, &e), -EUCLEAN);
	assert_null(v);
	assert_non_null(strstr(e.msg, "rule torn is not a JSON object"));
	assert_int_equal(state_net_each(f->s, "rule", collect, out, &e), -EUCLEAN);
}

/* ---- what no two VMs may have ---- */

static json_t *vm_with(int n, const char *nics)
{
	json_t *rec = json_pack("{s:s,s:s,s:o}", "uuid", "", "brand", "joyent-minimal", "nics", json_loads(nics, 0, NULL));
	char uuid[40];

	snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-00000000000%d", n);
	json_object_set_new(rec, "uuid", json_string(uuid));
	return rec;
}

static int with(struct fix *f, int n, bool insert, const char *nics, struct err *e)
{
	json_t *rec = vm_with(n, nics);
	int r = insert ? state_vm_insert(f->s, rec, "installed", NULL, 0, NULL, e) : state_vm_replace(f->s, rec, e);

	json_decref(rec);
	return r;
}

#define NIC(tag, mac, ip) "{\"nic_tag\":\"" tag "\",\"mac\":\"02:00:00:00:00:" mac "\",\"ips\":[\"" ip "/24\"]}"

static void nics_taken(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *rec;

	assert_int_equal(with(f, 1, true, "[" NIC("a", "01", "10.0.0.1") "]", &e), 0);
	assert_int_equal(with(f, 2, true, "[" NIC("a", "02", "10.0.0.1") "]", &e), -EEXIST);
	assert_non_null(strstr(e.msg, "the address 10.0.0.1 on nic tag a is taken by VM 00000000-0000-4000-8000-000000000001"));
	assert_int_equal(with(f, 2, true, "[" NIC("b", "01", "10.0.0.1") "]", &e), -EEXIST);
	assert_non_null(strstr(e.msg, "the link address 02:00:00:00:00:01 is taken"));
	/* what failed left nothing behind; another tag is another network */
	assert_int_equal(with(f, 2, true, "[" NIC("b", "02", "10.0.0.1") "]", &e), 0);
	assert_int_equal(with(f, 2, false, "[" NIC("a", "02", "10.0.0.1") "]", &e), -EEXIST);
	assert_int_equal(with(f, 2, false, "[" NIC("b", "02", "10.0.0.2") "]", &e), 0);
	/* given up, so free; and what a VM has is its own */
	assert_int_equal(with(f, 3, true, "[" NIC("b", "03", "10.0.0.1") "]", &e), 0);
	assert_int_equal(with(f, 3, false, "[" NIC("b", "03", "10.0.0.1") "," NIC("b", "04", "10.0.0.4") "]", &e), 0);
	rec = vm_with(4, "[" NIC("b", "05", "10.0.0.4") "]");
	assert_int_equal(state_nics_free(f->s, rec, &e), -EEXIST);
	assert_int_equal(state_vm_delete(f->s, "00000000-0000-4000-8000-000000000003", &e), 0);
	assert_int_equal(state_nics_free(f->s, rec, &e), 0);
	json_decref(rec);
	/* a VM that has failed holds nothing */
	assert_int_equal(state_vm_set_state(f->s, "00000000-0000-4000-8000-000000000001", "failed", &e), 0);
	assert_int_equal(with(f, 4, true, "[" NIC("a", "01", "10.0.0.1") "]", &e), 0);
	assert_int_equal(state_vm_delete(f->s, "00000000-0000-4000-8000-000000000001", &e), 0);
	assert_int_equal(with(f, 5, true, "[" NIC("a", "06", "10.0.0.1") "]", &e), -EEXIST);
}

/* VRRP: many VMs have a router's id on different networks, none on the same. A database older than the index has one made. */
static void nics_vrid_and_older(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;

	assert_int_equal(with(f, 1, true, "[{\"nic_tag\":\"a\",\"mac\":\"02:00:00:00:00:01\",\"vrrp_vrid\":9}]", &e), 0);
	assert_int_equal(with(f, 2, true, "[{\"nic_tag\":\"a\",\"mac\":\"02:00:00:00:00:02\",\"vrrp_vrid\":9}]", &e), -EEXIST);
	assert_int_equal(with(f, 2, true, "[{\"nic_tag\":\"a\",\"vlan_id\":4,\"mac\":\"02:00:00:00:00:02\",\"vrrp_vrid\":9}]", &e), 0);
	assert_int_equal(db_exec(f->s, "DELETE FROM netobj; DELETE FROM kv WHERE key LIKE 'nics-indexed%'", &e), 0);
	assert_int_equal(with(f, 3, true, "[{\"nic_tag\":\"c\",\"mac\":\"02:00:00:00:00:02\"}]", &e), -EEXIST);
}

static int note_holder(const char *uuid, void *arg)
{
	strcat(arg, uuid + 35);
	return 0;
}

static const char *holders(struct fix *f, const char *at)
{
	static char who[64];
	struct err e = ERR_INIT;

	*who = 0;
	assert_int_equal(state_holders(f->s, at, note_holder, who, &e), 0);
	return who;
}

/* Who names an address, on whatever switch and however it is written; the index of a database older than it is made. */
static void nics_holders(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	uint32_t ip;

	assert_int_equal(with(f, 1, true, "[" NIC("a", "01", "10.0.0.1") "]", &e), 0);
	assert_int_equal(with(f, 2, true, "[" NIC("b", "02", "10.0.0.1") "]", &e), 0);
	assert_int_equal(with(f, 3, true, "[{\"nic_tag\":\"a\",\"mac\":\"02:00:00:00:00:03\",\"ips\":[\"dhcp\"],\"allowed_ips\":[\"10.9.0.0/16\",\"FD00::0:7/128\"]}]", &e), 0);
	assert_int_equal(state_lease_take(f->s, &(struct lease_ask){.vm = "00000000-0000-4000-8000-000000000003", .mac = "02:00:00:00:00:03", .tag = "a", .net = 0x0a000100, .prefix = 30, .gateway = 0x0a000101}, &ip, &e), 0);
	for (int old = 0; old < 2; old++) {
		assert_string_equal(holders(f, "10.0.0.1"), "12");
		assert_string_equal(holders(f, "10.0.0.11"), "");
		assert_string_equal(holders(f, "fd00::7"), "3");
		assert_string_equal(holders(f, "02:00:00:00:00:02"), "2");
		assert_string_equal(holders(f, "10.0.1.2"), "3");
		assert_string_equal(holders(f, NULL), "3");
		assert_int_equal(db_exec(f->s, "DELETE FROM netobj WHERE kind LIKE 'at %' OR kind = 'taken'; DELETE FROM kv WHERE key LIKE 'nics-indexed%'", &e), 0);
	}
	assert_int_equal(state_vm_delete(f->s, "00000000-0000-4000-8000-000000000003", &e), 0);
	assert_int_equal(with(f, 1, false, "[" NIC("a", "01", "10.0.0.2") "]", &e), 0);
	assert_string_equal(holders(f, "10.0.0.1"), "2");
	assert_string_equal(holders(f, "10.0.0.2"), "1");
	assert_string_equal(holders(f, "10.0.1.2"), "");
	assert_string_equal(holders(f, NULL), "");
}

/* One that a server outside gave is held like any other, until it is lost. */
static void leased_holders(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;
	json_t *said = json_pack("{s:I}", "until", (json_int_t)1 << 40);
	struct lease_outside l = {.vm = "00000000-0000-4000-8000-000000000001", .mac = "02:00:00:00:00:01", .tag = "a", .ip = 0x0a000005, .said = said};

	assert_int_equal(with(f, 1, true, "[" NIC("a", "01", "dhcp") "]", &e), 0);
	assert_int_equal(state_lease_learn(f->s, &l, &e), 0);
	assert_string_equal(holders(f, "10.0.0.5"), "1");
	l.ip++;
	assert_int_equal(state_lease_learn(f->s, &l, &e), 0);
	assert_string_equal(holders(f, "10.0.0.5"), "");
	assert_string_equal(holders(f, "10.0.0.6"), "1");
	assert_int_equal(state_lease_lose(f->s, l.mac, l.vm, &e), 0);
	assert_string_equal(holders(f, "10.0.0.6"), "");
	json_decref(said);
}

static void lent(void **p)
{
	struct fix *f = *p;
	struct err e = ERR_INIT;

	put(f, "rule", "a", 1);
	assert_int_equal(state_begin(f->s, &e), 0);
	state_lend(f->s, true);
	assert_true(get(f, "rule", "a") < 0);
	assert_int_equal(state_begin(f->s, &e), -EDEADLK);
	assert_non_null(strstr(e.msg, "another thread"));
	state_borrow(f->s);
	assert_int_equal(get(f, "rule", "a"), 1);
	assert_int_equal(state_end(f->s, 0, &e), 0);
	state_borrow(NULL);
	assert_true(get(f, "rule", "a") < 0);
	state_lend(f->s, false);
	assert_int_equal(get(f, "rule", "a"), 1);
}

#define T(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {T(kinds), T(not_objects), T(nics_taken), T(nics_vrid_and_older), T(nics_holders), T(leased_holders), T(lent)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
