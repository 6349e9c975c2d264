/* SPDX-License-Identifier: MPL-2.0 */
/* The responder's table, and the router advertisements that are made from it. */
#include "netd_in.h"

#include "netd/ra.h"

static const uint8_t none[16], from[16] = {0xfe, 0x80, [15] = 1}, mac[6] = {2, 8, 0x20, 0, 0, 1};

static void table(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	static const char *const bad[] = {
		"nothing\n", "subnet 10.0.0.0/33\n", "subnet fd00::/64\n", "server x\n", "serve tea\n", "mtu 70000\n", "zone a b c\n", "domain a..b\n", "domain -\\\n",
		"zone u 02:08:20:00:00 - a -\n", "zone u 02:08:20:00:00:0a fd00::1 a -\n", "zone u 02:08:20:00:00:0a - a 1.2.3\n", "a b c d e f g h i\n", "dns\n",
		"zone u 02:08:20:00:00:0a - a - b\n", "zone u 02:08:20:00:00:0ax - a -\n",
	};
	struct tip ip;
	size_t n;

	assert_int_equal(t.nzone, 2);
	assert_string_equal(t.domain, "zones.test");
	assert_non_null(table_name(&t, "web-host", &n));
	assert_int_equal(n, 2);
	assert_null(table_name(&t, "nobody", &n));
	assert_true(tip_parse("fd77::a", &ip));
	assert_string_equal(table_addr(&t, &ip)->name, "web");
	assert_true(tip_within(&t.subnet6, &ip));
	assert_false(tip_within(&t.subnet, &ip));
	assert_null(table_mac(&t, mac));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct table no;

		assert_int_equal(table_parse(strdup(bad[i]), strlen(bad[i]), &no), 1);
	}
	table_free(&t);
	t = table_of("");
	assert_null(table_mac(&t, mac));
	assert_null(table_addr(&t, &ip));
	table_free(&t);
	/* a name that no packet can hold takes the zone's other names with it no more than the zone */
	t = table_of("zone u 02:08:20:00:00:0a 10.0.0.9 bad!name,good -\n");
	assert_string_equal(t.zone[0].name, "good");
	table_free(&t);
}

static void solicited(void **state)
{
	uint8_t rs[] = {133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 8, 0x20, 0, 0, 0xa};

	assert_true(rs_valid(rs, 8, 255, none));
	assert_true(rs_valid(rs, 16, 255, from));
	assert_false(rs_valid(rs, 16, 255, none)); /* RFC 4861, 6.1.1 */
	assert_false(rs_valid(rs, 16, 64, from));
	for (size_t i = 0; i < 16; i++)
		if (i != 8)
			assert_false(rs_valid(rs, i, 255, from));
	rs[9] = 0;
	assert_false(rs_valid(rs, 16, 255, from));
	rs[9] = 2;
	assert_false(rs_valid(rs, 16, 255, from));
	rs[0] = 134;
	assert_false(rs_valid(rs, 8, 255, from));
}

static void advertisement(void **state)
{
	struct table t = table_of(SETTINGS ZONES);
	uint8_t o[RA_MAX];
	size_t n = ra_build(&t, mac, false, o), seen = 0;

	assert_int_equal(o[0], 134);
	assert_int_equal(o[6] << 8 | o[7], 0); /* no router: nothing routes IPv6 out */
	for (size_t at = 16; at < n; at += o[at + 1] * 8u) {
		assert_true(o[at + 1] > 0 && at + o[at + 1] * 8u <= n);
		seen |= 1u << o[at];
		if (o[at] == 3) {
			assert_int_equal(o[at + 2], 64);
			assert_int_equal(o[at + 3], 0xc0);
			assert_memory_equal(o + at + 16, ((uint8_t[]){0xfd, 0x77}), 2);
		}
		if (o[at] == 5)
			assert_int_equal(o[at + 6] << 8 | o[at + 7], 1400);
		if (o[at] == 31)
			assert_memory_equal(o + at + 8, "\5zones\4test\0", 12);
	}
	assert_int_equal(seen, 1u << 1 | 1u << 3 | 1u << 5 | 1u << 25 | 1u << 31);
	assert_true(ra_build(&t, mac, true, o) > 0);
	assert_int_equal(o[6] << 8 | o[7], 0);
	t.ra = false;
	assert_int_equal(ra_build(&t, mac, false, o), 0);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(solicited), cmocka_unit_test(advertisement)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
