/* SPDX-License-Identifier: MPL-2.0 */
/* Leases: one for each NIC that asks, never the same to two, and none that somebody has by hand. */
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

#define A  "00000000-0000-4000-8000-00000000000a"
#define B  "00000000-0000-4000-8000-00000000000b"
#define M1 "02:08:20:00:00:01"
#define M2 "02:08:20:00:00:02"
#define NET 0x0a4d0000u

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

static json_t *record(const char *uuid, const char *mac, const char *ip)
{
	return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:[s]}]}", "uuid", uuid, "brand", "joyent-minimal", "zonename", uuid, "nics", "nic_tag", "stub0", "mac", mac, "ips",
			 ip);
}

static void insert(struct state *s, const char *uuid, const char *mac, const char *ip)
{
	json_t *r = record(uuid, mac, ip);
	uint32_t base = 0;

	assert_int_equal(state_vm_insert(s, r, "installed", NULL, 0, &base, NULL), 0);
	json_decref(r);
}

static int take_(struct state *s, const char *vm, const char *mac, unsigned vlan, unsigned prefix, uint32_t *ip)
{
	return state_lease_take(s, &(struct lease_ask){vm, mac, "stub0", vlan, prefix, NET, NET + 1}, ip, NULL);
}

static void once(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	uint32_t a, again, b, other;
	char vm[37];

	insert(s, A, M1, "dhcp");
	insert(s, B, M2, "dhcp");
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &a, NULL), 0);
	assert_int_equal(take_(s, A, M1, 0, 29, &a), 0);
	assert_true(a > NET + 1 && a < NET + 7);
	assert_int_equal(take_(s, A, M1, 0, 29, &again), 0);
	assert_int_equal(a, again);
	assert_int_equal(take_(s, B, M2, 0, 29, &b), 0);
	assert_true(a != b && b > NET + 1 && b < NET + 7);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &again, NULL), 1);
	assert_string_equal(vm, A);
	/* on another switch it has none; nor has it this one then */
	assert_int_equal(state_lease_get(s, M1, "stub0", 7, vm, &again, NULL), 0);
	assert_int_equal(take_(s, A, M1, 7, 29, &other), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &again, NULL), 0);
}

static void by_hand(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	json_t *r;
	uint32_t a;
	char vm[37];

	insert(s, A, M1, "10.77.0.2/30");
	insert(s, B, M2, "dhcp");
	assert_int_equal(take_(s, B, M2, 0, 30, &a), -ENOSPC);
	assert_int_equal(state_vm_delete(s, A, NULL), 0);
	assert_int_equal(take_(s, B, M2, 0, 30, &a), 0);
	/* and what is leased nobody has by hand */
	r = record(A, M1, "10.77.0.2/30");
	assert_int_equal(state_nics_free(s, r, NULL), -EEXIST);
	json_decref(r);
	/* but who had it may keep it */
	r = record(B, M2, "10.77.0.2/30");
	assert_int_equal(state_vm_replace(s, r, NULL), 0);
	json_decref(r);
	assert_int_equal(state_lease_get(s, M2, "stub0", 0, vm, &a, NULL), 0);
	r = record(A, M1, "10.77.0.2/30");
	assert_int_equal(state_nics_free(s, r, NULL), -EEXIST);
	/* until it is gone */
	assert_int_equal(state_vm_delete(s, B, NULL), 0);
	assert_int_equal(state_nics_free(s, r, NULL), 0);
	json_decref(r);
}

static void gone(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	uint32_t a;
	char vm[37];

	insert(s, A, M1, "dhcp");
	assert_int_equal(take_(s, A, M1, 0, 30, &a), 0);
	assert_int_equal(state_vm_delete(s, A, NULL), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &a, NULL), 0);
	insert(s, B, M2, "dhcp");
	assert_int_equal(take_(s, B, M2, 0, 30, &a), 0);
	assert_int_equal(a, NET + 2);
}

/* A NIC that goes to another switch keeps its lease until it boots there; then, or with its VM, that is free. */
static void moves_later(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	json_t *r;
	uint32_t a;
	char vm[37];

	insert(s, A, M1, "dhcp");
	insert(s, B, M2, "dhcp");
	assert_int_equal(take_(s, A, M1, 0, 30, &a), 0);
	r = record(A, M1, "dhcp");
	json_object_set_new(json_array_get(json_object_get(r, "nics"), 0), "vlan_id", json_integer(7));
	assert_int_equal(state_vm_replace(s, r, NULL), 0);
	json_decref(r);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &a, NULL), 1);
	assert_int_equal(take_(s, B, M2, 0, 30, &a), -ENOSPC);
	assert_int_equal(take_(s, A, M1, 7, 30, &a), 0);
	assert_int_equal(take_(s, B, M2, 0, 30, &a), 0);
	/* stopped, moved back and deleted */
	r = record(A, M1, "dhcp");
	assert_int_equal(state_vm_replace(s, r, NULL), 0);
	json_decref(r);
	assert_int_equal(state_vm_delete(s, A, NULL), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 7, vm, &a, NULL), 0);
	assert_int_equal(take_(s, B, M2, 7, 30, &a), 0);
}

static void own(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	uint32_t a;
	char vm[37];

	/* two NICs of one VM */
	insert(s, A, M1, "dhcp");
	assert_int_equal(take_(s, A, M1, 0, 30, &a), 0);
	assert_int_equal(take_(s, A, M2, 0, 30, &a), -ENOSPC);
	assert_int_equal(state_vm_delete(s, A, NULL), 0);
	/* what its record still has by hand goes with that record, and would be anybody's then */
	insert(s, B, M2, "10.77.0.2/30");
	assert_int_equal(take_(s, B, M2, 0, 30, &a), -ENOSPC);
	assert_int_equal(state_lease_get(s, M2, "stub0", 0, vm, &a, NULL), 0);
}

/* Before its record is stored a NIC that moves or comes has its lease already. */
static void moved(void **state)
{
	struct state *s = ((struct fix *)*state)->s;
	json_t *old = record(A, M1, "dhcp"), *rec = record(A, M1, "dhcp"), *more = record(A, M2, "dhcp");
	uint32_t a, again;
	char vm[37];

	json_object_set_new(json_array_get(json_object_get(rec, "nics"), 0), "vlan_id", json_integer(7));
	insert(s, A, M1, "dhcp");
	assert_int_equal(take_(s, A, M1, 0, 29, &a), 0);
	assert_int_equal(take_(s, A, M1, 7, 29, &a), 0);
	assert_int_equal(state_vm_replace(s, rec, NULL), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 7, vm, &again, NULL), 1);
	assert_int_equal(a, again);
	/* back, by an update that failed */
	assert_int_equal(take_(s, A, M1, 0, 29, &a), 0);
	assert_int_equal(state_lease_back(s, A, rec, old, NULL), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &again, NULL), 1);
	assert_int_equal(take_(s, A, M2, 0, 29, &a), 0);
	assert_int_equal(state_lease_back(s, A, more, old, NULL), 0);
	assert_int_equal(state_lease_get(s, M2, "stub0", 0, vm, &again, NULL), 0);
	assert_int_equal(state_lease_get(s, M1, "stub0", 0, vm, &again, NULL), 1);
	json_decref(old);
	json_decref(rec);
	json_decref(more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(once, set_up, tear_down), cmocka_unit_test_setup_teardown(by_hand, set_up, tear_down),
					   cmocka_unit_test_setup_teardown(gone, set_up, tear_down), cmocka_unit_test_setup_teardown(own, set_up, tear_down),
					   cmocka_unit_test_setup_teardown(moved, set_up, tear_down), cmocka_unit_test_setup_teardown(moves_later, set_up, tear_down)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
