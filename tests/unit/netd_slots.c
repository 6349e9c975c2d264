/* SPDX-License-Identifier: MPL-2.0 */
#include "netd_in.h"

#include "netd/slots.h"

struct place {
	int other;
	struct slot s;
};

static struct slot *one(struct place *p, size_t n, unsigned each, uint64_t who, uint64_t since)
{
	struct slot *s = slot_for(&p[0].s, sizeof *p, n, each, who);

	if (s)
		*s = (struct slot){true, who, since};
	return s;
}

static void quota(void **state)
{
	struct place p[8] = {0};

	assert_non_null(one(p, 8, 2, 1, 1));
	assert_non_null(one(p, 8, 2, 1, 2));
	assert_null(one(p, 8, 2, 1, 3));
	assert_non_null(one(p, 8, 2, 2, 4));
	p[0].s.used = false;
	assert_ptr_equal(one(p, 8, 2, 1, 5), &p[0].s);
}

/* However many have filled it: who comes new gets the oldest of who has most. */
static void full(void **state)
{
	struct place p[8] = {0};

	for (unsigned i = 0; i < 5; i++)
		assert_non_null(one(p, 8, 5, 1, 10 - i));
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(one(p, 8, 5, 2, i));
	assert_ptr_equal(one(p, 8, 5, 3, 20), &p[4].s);
	assert_ptr_equal(one(p, 8, 5, 3, 21), &p[3].s);
	/* 3, 3 and 2: one more of his would be one less of another's who has no more */
	assert_null(one(p, 8, 5, 3, 22));
	assert_null(one(p, 8, 5, 1, 22));
	assert_non_null(one(p, 8, 5, 4, 23));
}

static void owners(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	struct tip web, web6, formed, local, db, none;
	uint64_t vm;

	assert_true(tip_parse("10.77.0.10", &web) && tip_parse("fd77::a", &web6) && tip_parse("fd77::8:20ff:fe00:a", &formed) &&
		    tip_parse("fe80::8:20ff:fe00:a", &local) && tip_parse("10.77.0.11", &db) && tip_parse("10.77.0.12", &none));
	vm = table_owner(&t, &web);
	assert_true(vm != 0);
	assert_int_equal(table_owner(&t, &web6), vm);
	assert_int_equal(table_owner(&t, &formed), vm);
	assert_int_equal(table_owner(&t, &local), vm);
	assert_true(table_owner(&t, &db) != vm && table_owner(&t, &db) != 0);
	assert_int_equal(table_owner(&t, &none), 0);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(quota), cmocka_unit_test(full), cmocka_unit_test(owners)};

	return cmocka_run_group_tests_name("netd_slots", tests, NULL, NULL);
}
